"""A table's results as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.common import markdown
from benchmarks.report.compare import compare, pairs
from benchmarks.report.summary import Summary, hardware
from benchmarks.report.training import training
from benchmarks.reproduce.tables import Table

_NONE = '–'


def write(table: Table, summaries: dict[str, Summary], left_out: int) -> str:
    """The results of a table.

    Args:
        table: The table.
        summaries: Its cells that have results.
        left_out: How many results belong to none of its cells.
    """
    if not summaries:
        command = f'python -m benchmarks.reproduce {table.name}'
        return f'Not run yet: `{command} --root data/ogb`.'
    shown = list(summaries.values())
    parts = [
        markdown.table_of([_scores(summary) for summary in shown]),
        _settings(shown),
        _below(
            'Gain of the first over the second, paired over seeds (positive: '
            'better):',
            [_comparison(*pair) for pair in pairs(table, summaries)],
        ),
        _below(
            'Cost. FLOPs are those of the matrix products of a prediction; '
            'parameters of a forest are the nodes of its trees:',
            [_cost(summary) for summary in shown],
        ),
        _below(
            'Training. Losses are those of the last epoch, on batches with '
            'dropout; changes are the mean over the second half of the run, '
            'and say how much luck there is in an epoch. Expert usage is that '
            'of the experts used least and most in the training of the '
            'selected epoch, the mean over layers and seeds; an even share is '
            '1:',
            training(shown),
        ),
        f'Made on: {"; ".join(hardware(shown))}.',
    ]
    if left_out:
        parts.append(
            f'{left_out} results of other settings or fewer epochs are left '
            'out.'
        )
    return '\n\n'.join(part for part in parts if part)


def _below(title: str, rows: Sequence[Mapping[str, str]]) -> str:
    return f'{title}\n\n{markdown.table_of(rows)}' if rows else ''


def _scores(summary: Summary) -> dict[str, str]:
    digits = summary.digits
    difference, within, ensemble = _NONE, _NONE, _NONE
    if summary.cell.paper is not None:
        mean, std = summary.cell.paper
        gap = float(summary.scores().mean()) - mean
        difference = f'{gap:+.{digits}f}'
        within = 'yes' if abs(gap) <= std else 'no'
    if summary.ensemble is not None:
        score = summary.ensemble * summary.scale
        ensemble = f'{score:.{digits}f} ({len(summary.records)} seeds)'
    return {
        'dataset (metric)': summary.column,
        'model': summary.cell.label,
        'test (here)': summary.spread(),
        'seeds': str(len(summary.records)),
        'epochs': str(summary.epochs or _NONE),
        'test (paper)': summary.paper or _NONE,
        'difference': difference,
        'within paper ± std': within,
        'mean prediction': ensemble,
        'validation': summary.spread('valid'),
    }


def _settings(summaries: Sequence[Summary]) -> str:
    lines = []
    for summary in summaries:
        model = summary.cell.settings.get('model', {})
        if 'num_experts' in model:
            text = (
                'n={num_experts}, m={num_experts_1hop}, k={top_k}, '
                'λ={balance_weight:g}, combine={combine}, '
                '{hidden_channels} channels'
            ).format(**{'combine': 'sum', 'top_k': 'all', **model})
            origin = summary.cell.settings_from or 'not said'
            origin = {'search': 'a search on validation'}.get(origin, origin)
            lines.append(
                f'- {summary.cell.label}, {summary.cell.dataset}: {text}; '
                f'settings: {origin}'
            )
    return '\n'.join(lines)


def _comparison(summary: Summary, baseline: Summary) -> dict[str, str]:
    cell, digits = summary.cell, summary.digits
    paper = _NONE
    has_paper = None not in (cell.paper, baseline.cell.paper)
    if has_paper and baseline.cell.row == cell.baseline:
        gain = cell.paper[0] - baseline.cell.paper[0]
        gain = -gain if summary.is_better_if_less else gain
        paper = f'{gain:+.{digits}f}'
    found = compare(summary, baseline)
    return {
        'dataset': cell.dataset,
        'models': f'{cell.label} over {baseline.cell.label}',
        'gain': f'{found.gain:+.{digits}f}' if found else _NONE,
        '95 % interval': found.interval(digits) if found else _NONE,
        'p': f'{found.p_value:.3f}' if found else _NONE,
        'seeds': str(found.seeds) if found else _NONE,
        'verdict': found.verdict if found else 'needs two seeds',
        'gain (paper)': paper,
    }


def _cost(summary: Summary) -> dict[str, str]:
    flops = summary.constant('flops_per_graph')
    parameters = summary.constant('num_parameters')
    epochs, seconds = summary.epochs, summary.measured('seconds')
    epochs = summary.mean_epochs if epochs else None
    memory = summary.measured('peak_memory')
    return {
        'dataset': summary.cell.dataset,
        'model': summary.cell.label,
        'parameters': f'{round(parameters):,}' if parameters else _NONE,
        'MFLOPs per graph': f'{flops / 1e6:.2f}' if flops else _NONE,
        'seconds per epoch': f'{seconds / epochs:.2f}' if epochs else _NONE,
        'seconds per seed': f'{seconds:.0f}',
        'peak memory (MiB)': f'{memory / 2**20:.0f}',
    }
