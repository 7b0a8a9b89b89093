"""Compares a mixture with its baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmarks.report.summary import Summary
from benchmarks.reproduce.tables import Table


@dataclass(frozen=True)
class Comparison:
    """A paired t-test over seeds, or over the folds of cross-validations.

    Args:
        gain: The mean gain, positive where the mixture is better.
        low: Where its 95 % confidence interval begins.
        high: Where it ends.
        p_value: The two-sided p-value.
        seeds: The number of seeds that both have.
    """

    gain: float
    low: float
    high: float
    p_value: float
    seeds: int

    @property
    def verdict(self) -> str:
        """The outcome in a word."""
        if self.low > 0:
            return 'better'
        return 'worse' if self.high < 0 else 'not decided'

    def interval(self, digits: int) -> str:
        """The confidence interval, in print."""
        return f'[{self.low:+.{digits}f}, {self.high:+.{digits}f}]'


def pairs(
    table: Table, summaries: Mapping[str, Summary]
) -> list[tuple[Summary, Summary]]:
    """What a table compares: cells with their baselines, and the pairs of
    rows that it names.

    Args:
        table: The table.
        summaries: Its cells that have results, by name.
    """
    out = []
    for summary in summaries.values():
        cell = summary.cell
        others = [b for a, b in table.compare if a == cell.row]
        for other in (cell.baseline, *others):
            beside = summaries.get(f'{cell.dataset}/{other}')
            if beside is not None:
                out.append((summary, beside))
    return out


def cost_ratios(first: Summary, second: Summary) -> tuple[float, float]:
    """The cost of a network over that of another one.

    Args:
        first: The network.
        second: The other one.

    Returns:
        Of the FLOPs of a prediction, and of the seconds of an epoch.
    """
    flops = [s.constant('flops_per_graph') or 0.0 for s in (first, second)]
    return (
        flops[0] / max(flops[1], 1e-12),
        first.seconds_per_epoch / max(second.seconds_per_epoch, 1e-12),
    )


def compare(mixture: Summary, baseline: Summary) -> Comparison | None:
    """Compares two cells on the seeds that both have.

    Args:
        mixture: The cell.
        baseline: What it is compared with.

    Returns:
        The comparison, :obj:`None` with fewer than two seeds.
    """
    seeds = sorted(
        {r['seed'] for r in mixture.records}
        & {r['seed'] for r in baseline.records}
    )
    if len(seeds) < 2:
        return None
    gain = mixture.of_seeds(seeds) - baseline.of_seeds(seeds)
    if mixture.is_better_if_less:
        gain = -gain
    if np.ptp(gain) == 0:  # Its variance is zero, and t is not defined.
        mean = float(gain[0])
        p_value = 1.0 if mean == 0 else 0.0
        return Comparison(mean, mean, mean, p_value, len(seeds))
    split = mixture.cell.settings.get('split')
    if split is not None:
        return _corrected(gain, 1 / (split['folds'] - 2))
    if mixture.cell.settings.get('data', {}).get('splits', 1) > 1:
        sizes = mixture.records[0]['split']
        return _corrected(gain, sizes['test'] / sizes['train'])
    test = stats.ttest_1samp(gain, 0.0)
    interval = test.confidence_interval(0.95)
    return Comparison(
        float(gain.mean()),
        float(interval.low),
        float(interval.high),
        float(test.pvalue),
        len(seeds),
    )


def _corrected(gain: np.ndarray, share: float) -> Comparison:
    # Folds, and splits of one graph, have training rows in common, so their
    # gains do too. Nadeau and Bengio (2003,
    # https://doi.org/10.1023/A:1024068626366) take test over training rows for
    # what their variance lacks.
    count = len(gain)
    error = float(np.sqrt(gain.var(ddof=1) * (1 / count + share)))
    law = stats.t(count - 1, loc=float(gain.mean()), scale=error)
    low, high = law.interval(0.95)
    p_value = 2 * stats.t(count - 1).sf(abs(float(gain.mean())) / error)
    return Comparison(
        float(gain.mean()), float(low), float(high), float(p_value), count
    )
