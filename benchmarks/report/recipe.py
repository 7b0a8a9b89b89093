"""Shows the search of the recipe for one's own molecules.

    python -m benchmarks.reproduce recipe --root $GMOE_DATA_ROOT/ogb
    python -m benchmarks.report.recipe

The first command trains what is missing of ``benchmarks/reproduce/tables/
recipe.yaml``, in which each row is a trial: one recipe for all sets. Test
molecules are never scored. The second writes the table of its page. A recipe
is compared with another one on the sets and seeds that both have: by the
ratio of their errors (RMSE, or one minus the area), whose geometric mean
weighs all sets alike.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from benchmarks.common import markdown
from benchmarks.common.options import run
from benchmarks.common.place import Place
from benchmarks.report.summary import Summary, summarise
from benchmarks.reproduce import store
from benchmarks.reproduce.tables import Table, load_table

TABLE = 'recipe'
_NONE = '–'


def ratio(summary: Summary, other: Summary) -> float | None:
    """The error of a recipe on a set over that of another one, on the seeds
    that both have; :obj:`None` without any.

    Args:
        summary: The recipe on the set.
        other: What it is compared with.
    """
    mine, theirs = _errors(summary), _errors(other)
    seeds = sorted(mine.keys() & theirs.keys())
    if not seeds:
        return None
    return mean(mine[s] for s in seeds) / mean(theirs[s] for s in seeds)


def content(table: Table, summaries: dict[str, Summary]) -> str:
    """What the page shows.

    Args:
        table: The table of recipes.
        summaries: Its cells that have results.
    """
    if not summaries:
        return 'Not run yet.'
    datasets = list(dict.fromkeys(cell.dataset for cell in table.cells))
    labels = {cell.row: cell.label for cell in table.cells}
    base = {cell.row: cell.baseline for cell in table.cells}
    rows = []
    for row, label in labels.items():
        found = [summaries.get(f'{name}/{row}') for name in datasets]
        beside = [summaries.get(f'{name}/{base[row]}') for name in datasets]
        if any(found):
            rows.append(
                {
                    'trial': row,
                    'recipe': label,
                    **{
                        _column(summaries, name): s.spread('valid')
                        if s
                        else _NONE
                        for name, s in zip(datasets, found)
                    },
                    'runs': str(sum(len(s.records) for s in found if s)),
                    'beside': base[row] or _NONE,
                    'error, relative': _relative(found, beside),
                }
            )
    runs = sum(len(summary.records) for summary in summaries.values())
    return '\n\n'.join(
        [
            markdown.table_of(rows),
            f'{len(rows)} trials, {runs} runs. Scores are those of '
            'validation, the mean over seeds with the standard deviation. '
            'The last column is the geometric mean over sets of the error '
            'over that of the trial beside which it stands; below 1 is '
            'better.',
        ]
    )


def main(results: Path = store.COMMITTED, docs: Path | None = None) -> None:
    """Writes the table of the page.

    Args:
        results: The folder of the file of results.
        docs: The folder that holds ``reproduction/recipe.md``. (default:
            ``docs`` for the committed results, ``results`` for others)
    """
    place = Place.choose('reproduce', True, results, docs, store.COMMITTED)
    table = load_table(TABLE)
    records = store.read(results / f'{TABLE}.jsonl')
    summaries, _ = summarise(table, records, 'valid')
    text = content(table, summaries)
    place.write_part(
        'reproduction/recipe.md', 'benchmarks.report.recipe', text
    )
    print(text)


def _errors(summary: Summary) -> dict[int, float]:
    return {
        r['seed']: r['valid'] if summary.is_better_if_less else 1 - r['valid']
        for r in summary.records
    }


def _column(summaries: dict[str, Summary], dataset: str) -> str:
    for summary in summaries.values():
        if summary.cell.dataset == dataset:
            return summary.column
    return dataset


def _relative(
    found: Sequence[Summary | None], beside: Sequence[Summary | None]
) -> str:
    ratios = [ratio(a, b) for a, b in zip(found, beside) if a and b]
    logs = [math.log(value) for value in ratios if value is not None]
    if not logs:
        return _NONE
    return f'{math.exp(mean(logs)):.3f} ({len(logs)} sets)'


if __name__ == '__main__':
    try:
        run(main, as_positional=False)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f'benchmarks.report.recipe: error: {error}')
