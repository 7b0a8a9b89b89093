"""Writes the tables and pictures of WebNLG results into the docs.

    python -m benchmarks.webnlg.table

Everything comes from ``benchmarks/results/reproduce/webnlg.jsonl``; only
published numbers are given here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats

from benchmarks.common import markdown
from benchmarks.common.options import run
from benchmarks.common.place import Place
from benchmarks.common.record import ROOT
from benchmarks.reproduce import store
from benchmarks.webnlg import plot

NAME = 'benchmarks.webnlg.table'
DOCS = ROOT / 'docs' / 'webnlg.md'
IMAGES = ROOT / 'docs' / 'images'

#: Weighted F1 and accuracy on the 3,097 entries, chosen on them.
PUBLISHED = {
    'BERT-large, first triple': (0.7417, 0.768),
    'BERT-large with a mixture of experts, first triple': (0.7652, 0.793),
}
#: Which models are compared with which.
COMPARED = (
    ('bert-moe-all', 'bert-all'),
    ('bert-moe-first', 'bert-first'),
    ('bert-all', 'bert-first'),
    ('gmoe-gin', 'gin'),
    ('gmoe-relational', 'relational'),
    ('gmoe-gin', 'bert-all'),
)
#: The models of the pictures.
CONFUSION = ('gmoe-gin', 'bert-all')
ROUTING = ('gmoe-gin', 'bert-moe-all')
KINDS = {
    'seen': 'seen',
    'unseen_entities': 'unseen entities',
    'unseen_category': 'unseen category',
}

Record = dict[str, Any]
Group = dict[str, list[Record]]
#: A header, and what stands below it for a model.
Column = tuple[str, Callable[[Group], str]]


def read(path: Path) -> list[Record]:
    """The results in a file, one for each run and protocol."""
    return [
        {
            **record,
            **record['measured'],
            **scores,
            'model': record['row'],
            'kind': record['kind'].removeprefix('webnlg_'),
            'threads': record['environment']['cpu threads'],
            'protocol': protocol,
        }
        for record in store.read(path)
        for protocol, scores in record['protocols'].items()
    ]


def scores(found: Sequence[Record]) -> str:
    """The table of all models under both protocols."""
    return _table(
        found,
        [
            ('kind', lambda group: group['clean'][0]['kind']),
            ('seeds', lambda group: str(len(group['clean']))),
            ('clean: weighted F1', _mean('clean', 'weighted_f1')),
            ('accuracy', _mean('clean', 'accuracy')),
            ('macro F1', _mean('clean', 'macro_f1')),
            (
                'clean, on the 3,097: weighted F1',
                _mean('clean', 'entries', 'weighted_f1'),
            ),
            ('published: weighted F1', _mean('published', 'weighted_f1')),
            ('accuracy', _mean('published', 'accuracy')),
            ('dev: weighted F1', _mean('clean', 'dev_weighted_f1')),
        ],
        [
            [name, 'text', '?', *[''] * 4, f'{f1:.4f}', f'{accuracy:.3f}', '']
            for name, (f1, accuracy) in PUBLISHED.items()
        ],
    )


def subsets(found: Sequence[Record]) -> str:
    """The table of weighted F1 by what is new in the test graphs."""
    return _table(
        found,
        [
            (name, _mean('clean', 'subsets', kind, 'weighted_f1'))
            for kind, name in KINDS.items()
        ],
    )


def costs(found: Sequence[Record]) -> str:
    """The table of parameters and seconds."""
    return _table(
        found,
        [
            ('parameters', lambda g: f'{g["clean"][0]["num_parameters"]:,}'),
            ('threads', lambda g: str(g['clean'][0]['threads'])),
            ('training, s per epoch', _median('train_seconds_per_epoch')),
            ('training, s', _median('train_seconds')),
            ('the 1,363 test graphs, s', _median('infer_seconds')),
        ],
    )


def comparisons(found: Sequence[Record]) -> str:
    """The table of differences in weighted F1, paired over seeds."""
    group = _by_model(found)
    rows = []
    for one, other in COMPARED:
        if one not in group or other not in group:
            continue
        for protocol in ('clean', 'published'):
            gains = _gains(group[one][protocol], group[other][protocol])
            row = [f'{one} - {other}', protocol, str(len(gains))]
            row += [f'{gains.mean():+.4f}', '']
            if len(gains) > 1:
                half = scipy.stats.sem(gains) * scipy.stats.t.ppf(
                    0.975, len(gains) - 1
                )
                low, high = gains.mean() - half, gains.mean() + half
                row[-1] = f'{low:+.4f} to {high:+.4f}'
            rows.append(row)
    header = ['models', 'protocol', 'seeds', 'difference', '95 % interval']
    return markdown.table(header, rows)


def _gains(one: Sequence[Record], other: Sequence[Record]) -> np.ndarray:
    """The differences of two models, for the seeds that both have."""
    first = {r['seed']: r['weighted_f1'] for r in one}
    second = {r['seed']: r['weighted_f1'] for r in other}
    seeds = sorted(first.keys() & second.keys())
    return np.array([first[seed] - second[seed] for seed in seeds])


def _by_model(found: Iterable[Record]) -> dict[str, Group]:
    out: dict[str, Group] = {}
    for record in found:
        group = out.setdefault(record['model'], {})
        group.setdefault(record['protocol'], []).append(record)
    return dict(
        sorted(out.items(), key=lambda i: (i[1]['clean'][0]['kind'], i[0]))
    )


def _table(
    found: Sequence[Record],
    columns: Sequence[Column],
    more: Sequence[Sequence[str]] = (),
) -> str:
    header = ['model', *(name for name, _ in columns)]
    rows = [
        [model, *(value(group) for _, value in columns)]
        for model, group in _by_model(found).items()
    ]
    return markdown.table(header, [*rows, *more])


def _mean(protocol: str, *keys: str) -> Callable[[Group], str]:
    """The mean over seeds of what is behind keys, with its deviation."""

    def shown(group: Group) -> str:
        values = [reduce(getitem, keys, r) for r in group[protocol]]
        text = f'{np.mean(values):.4f}'
        if len(values) > 1:
            text += f' ± {np.std(values, ddof=1):.4f}'
        return text

    return shown


def _median(key: str) -> Callable[[Group], str]:
    return lambda group: f'{np.median([r[key] for r in group["clean"]]):.3g}'


def main(
    results: Path = store.COMMITTED,
    docs: Path | None = None,
    images: Path | None = None,
) -> None:
    """Writes tables and pictures.

    Args:
        results: The folder of the file of results.
        docs: The page that has their places. (default: that of the
            documentation for the committed results, ``webnlg.md`` beside
            them for others)
        images: The folder for pictures. (default: that of the documentation
            for the committed results, the folder of results for others)
    """
    place = Place.choose('webnlg', True, results, committed=store.COMMITTED)
    create = place.is_own and docs is None
    docs = docs or place.docs / 'webnlg.md'
    images = images or (results if place.is_own else IMAGES)
    found = read(results / 'webnlg.jsonl')
    if not found:
        raise SystemExit(f"'results' must hold webnlg.jsonl, got '{results}'")
    for name, content in (
        ('scores', scores(found)),
        ('subsets', subsets(found)),
        ('comparisons', comparisons(found)),
        ('costs', costs(found)),
    ):
        markdown.update([docs], f'{NAME} {name}', content, create)
    models = list(_by_model(found))
    shown = [model for model in CONFUSION if model in models]
    plot.confusion(found, images / 'webnlg_confusion.png', shown or models)
    shown = [model for model in ROUTING if model in models]
    if shown:
        plot.routing(found, images / 'webnlg_routing.png', shown)


if __name__ == '__main__':
    run(main)
