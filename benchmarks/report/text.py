"""A table's results as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.common import markdown
from benchmarks.report.compare import compare
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
        _scores(shown),
        _settings(shown),
        'Gain of the first over the second, paired over seeds (positive: '
        'better):',
        _comparisons(_pairs(table, summaries)),
        'Cost. FLOPs are those of the matrix products of a prediction; '
        'parameters of a forest are the nodes of its trees:',
        _costs(shown),
        _training(shown),
        f'Made on: {"; ".join(hardware(shown))}.',
    ]
    if left_out:
        parts.append(
            f'{left_out} results of other settings or fewer epochs are left '
            'out.'
        )
    return '\n\n'.join(part for part in parts if part)


def _training(summaries: Sequence[Summary]) -> str:
    rows = training(summaries)
    if not rows:
        return ''
    return (
        'Training. Losses are those of the last epoch, on batches with '
        'dropout; changes are the mean over the second half of the run, and '
        'say how much luck there is in an epoch. Expert usage is that of the '
        'experts used least and most in the training of the selected epoch, '
        f'the mean over layers and seeds; an even share is 1:\n\n{rows}'
    )


def _scores(summaries: Sequence[Summary]) -> str:
    header = [
        'dataset (metric)',
        'model',
        'test (here)',
        'seeds',
        'epochs',
        'test (paper)',
        'difference',
        'within paper ± std',
        'mean prediction',
        'validation',
    ]
    return markdown.table(header, [_score_row(s) for s in summaries])


def _score_row(summary: Summary) -> list[str]:
    digits = summary.digits
    paper, difference, within = _NONE, _NONE, _NONE
    if summary.cell.paper is not None:
        mean, std = summary.cell.paper
        paper = f'{mean:.{digits}f} ± {std:.{digits}f}'
        gap = float(summary.scores().mean()) - mean
        difference = f'{gap:+.{digits}f}'
        within = 'yes' if abs(gap) <= std else 'no'
    ensemble = _NONE
    if summary.ensemble is not None:
        score = summary.ensemble * summary.scale
        ensemble = f'{score:.{digits}f} ({len(summary.records)} seeds)'
    return [
        _column(summary),
        summary.cell.label,
        _spread(summary, 'test'),
        str(len(summary.records)),
        str(summary.epochs or _NONE),
        paper,
        difference,
        within,
        ensemble,
        _spread(summary, 'valid'),
    ]


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


def _pairs(
    table: Table, summaries: dict[str, Summary]
) -> list[tuple[Summary, Summary]]:
    pairs = []
    for summary in summaries.values():
        cell = summary.cell
        others = [b for a, b in table.compare if a == cell.row]
        for other in (cell.baseline, *others):
            beside = summaries.get(f'{cell.dataset}/{other}')
            if beside is not None:
                pairs.append((summary, beside))
    return pairs


def _comparisons(pairs: Sequence[tuple[Summary, Summary]]) -> str:
    rows = []
    for summary, baseline in pairs:
        cell = summary.cell
        digits = summary.digits
        paper = _NONE
        has_paper = None not in (cell.paper, baseline.cell.paper)
        if has_paper and baseline.cell.row == cell.baseline:
            gain = cell.paper[0] - baseline.cell.paper[0]
            gain = -gain if summary.is_better_if_less else gain
            paper = f'{gain:+.{digits}f}'
        ours = [_NONE] * 4 + ['needs two seeds']
        found = compare(summary, baseline)
        if found is not None:
            ours = [
                f'{found.gain:+.{digits}f}',
                f'[{found.low:+.{digits}f}, {found.high:+.{digits}f}]',
                f'{found.p_value:.3f}',
                str(found.seeds),
                found.verdict,
            ]
        pair = f'{cell.label} over {baseline.cell.label}'
        rows.append([cell.dataset, pair, *ours, paper])
    header = [
        'dataset',
        'models',
        'gain',
        '95 % interval',
        'p',
        'seeds',
        'verdict',
        'gain (paper)',
    ]
    return markdown.table(header, rows)


def _costs(summaries: Sequence[Summary]) -> str:
    rows = []
    for summary in summaries:
        flops = summary.constant('flops_per_graph')
        parameters = summary.constant('num_parameters')
        epochs = summary.epochs
        seconds = summary.measured('seconds')
        rows.append(
            [
                summary.cell.dataset,
                summary.cell.label,
                _NONE if parameters is None else f'{round(parameters):,}',
                _NONE if flops is None else f'{flops / 1e6:.2f}',
                f'{seconds / epochs:.2f}' if epochs else _NONE,
                f'{seconds:.0f}',
                f'{summary.measured("peak_memory") / 2**20:.0f}',
            ]
        )
    header = [
        'dataset',
        'model',
        'parameters',
        'MFLOPs per graph',
        'seconds per epoch',
        'seconds per seed',
        'peak memory (MiB)',
    ]
    return markdown.table(header, rows)


def _column(summary: Summary) -> str:
    arrow = '↓' if summary.is_better_if_less else '↑'
    return f'{summary.cell.dataset} ({summary.metric} {arrow})'


def _spread(summary: Summary, key: str) -> str:
    values = summary.scores(key)
    text = f'{values.mean():.{summary.digits}f}'
    if len(values) > 1:
        text += f' ± {values.std(ddof=1):.{summary.digits}f}'
    return text
