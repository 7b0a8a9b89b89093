"""The setting of the TF-IDF baseline, chosen without the test entries.

    python -m benchmarks.webnlg.tfidf_selection --root data/webnlg

Parts of WebNLG's training entries are held out, all entries about an entity
with it, since the test entries are about other entities too. The setting with
the largest weighted F1 there, averaged over parts and over both ways to read
a graph (first triple, all triples), the first of equals, is trained on all
training entries and scored on the test entries once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import markdown
from benchmarks.common.options import run
from benchmarks.common.place import Place, is_default
from benchmarks.common.record import provenance, write_json
from gmoe.datasets import WebNLGEntry, webnlg_split
from gmoe.datasets.triples.graph import triples_to_graph
from gmoe.datasets.webnlg.protocol import Protocol
from gmoe.text import TfidfClassifier, linearize
from gmoe.text.linearize import TRIPLES

#: The values of each setting; those that scikit-learn and
#: :func:`~gmoe.text.linearize` have by default come first.
GRID: dict[str, tuple[Any, ...]] = {
    'normalize': (False, True),
    'token_pattern': (r'(?u)\b\w\w+\b', r'[^\W_]+'),
    'max_ngram': (1, 2),
    'sublinear_tf': (False, True),
    'regularization': (1.0, 10.0),
}

#: Published weighted F1 of TF-IDF and logistic regression.
PUBLISHED: dict[Protocol, dict[str, float]] = {
    'published': {'first': 0.732, 'all': 0.771},
    'clean': {'first': 0.733, 'all': 0.769},
}
TOLERANCE = 0.01


def main(
    root: Path = Path('data/webnlg'),
    splits: int = 5,
    held_out: float = 0.15,
    test: bool = True,
    json: Path | None = None,
) -> None:
    """Chooses a setting and scores it.

    Args:
        root: The folder of WebNLG, or its archive.
        splits: How many times a part is held out.
        held_out: The share of the entities that is held out.
        test: Whether the chosen setting is scored on the test entries.
        json: A file for the results. (default: the committed one for the
            default settings, one below ``runs`` for others)
    """
    good = is_default(main, locals())
    place = Place.choose('tfidf_selection', good)
    entries = webnlg_split(root, log=False).train
    parts = list(entity_disjoint(entries, splits, held_out))
    rows = [validate(entries, setting, parts) for setting in settings()]
    print(table(rows))
    best = max(rows, key=lambda row: row['mean'])
    result = {
        **provenance(),
        'splits': splits,
        'held_out': held_out,
        'rows': rows,
        'chosen': best,
    }
    if test:
        result['test'] = on_test(root, best['setting'])
        for row in result['test']:
            print(', '.join(f'{key} {value}' for key, value in row.items()))
    path = json or place.results / 'tfidf_selection.json'
    write_json(path, result)
    print(f'Wrote {path}')


def settings() -> list[dict[str, Any]]:
    """All combinations of :data:`GRID`."""
    return [dict(zip(GRID, v)) for v in itertools.product(*GRID.values())]


def entity_disjoint(
    entries: Sequence[WebNLGEntry], splits: int, held_out: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The numbers of the entries to train on and of those held out, which
    have no root in common.

    Args:
        entries: The entries.
        splits: How many times a part is held out.
        held_out: The share of the roots that is held out.
    """
    roots = []
    for entry in entries:
        graph = triples_to_graph(entry.triples)
        roots.append(graph.node_text[graph.root])
    from sklearn.model_selection import GroupShuffleSplit

    splitter = GroupShuffleSplit(splits, test_size=held_out, random_state=0)
    yield from splitter.split(roots, groups=roots)


def validate(
    entries: Sequence[WebNLGEntry],
    setting: dict[str, Any],
    parts: Sequence[tuple[np.ndarray, np.ndarray]],
) -> dict[str, Any]:
    """Weighted F1 of a setting on what is held out: the mean of each way to
    read a graph, and of both.

    Args:
        entries: The entries.
        setting: A value for each key of :data:`GRID`.
        parts: What :func:`entity_disjoint` yields.
    """
    scores = {}
    for triples in TRIPLES:
        values = [
            score(
                [entries[i] for i in train],
                [entries[i] for i in rest],
                setting,
                triples,
            )
            for train, rest in parts
        ]
        scores[triples] = round(float(np.mean(values)), 4)
        scores[f'{triples}_std'] = round(float(np.std(values)), 4)
    mean = round((scores['first'] + scores['all']) / 2, 4)
    return {'setting': setting, **scores, 'mean': mean}


def on_test(root: Path, setting: dict[str, Any]) -> list[dict[str, Any]]:
    """Weighted F1 on the test entries of both protocols, beside what is
    published.

    Args:
        root: The folder of WebNLG, or its archive.
        setting: A value for each key of :data:`GRID`.
    """
    rows = []
    for protocol, published in PUBLISHED.items():
        split = webnlg_split(root, protocol, log=False)
        for triples, expected in published.items():
            value = score(split.train, split.test, setting, triples)
            rows.append(
                {
                    'protocol': protocol,
                    'triples': triples,
                    'weighted_f1': round(value, 4),
                    'published': expected,
                    'within_tolerance': abs(value - expected) <= TOLERANCE,
                }
            )
    return rows


def score(
    train: Sequence[WebNLGEntry],
    test: Sequence[WebNLGEntry],
    setting: dict[str, Any],
    triples: str,
) -> float:
    """Weighted F1 of a setting.

    Args:
        train: The entries to train on.
        test: The entries to score.
        setting: A value for each key of :data:`GRID`.
        triples: Which triples are read.
    """
    arguments = dict(setting)
    normalize = arguments.pop('normalize')

    def read(
        entries: Sequence[WebNLGEntry],
    ) -> tuple[list[str], list[str]]:
        texts = [linearize(e.triples, triples, normalize) for e in entries]
        return texts, [e.category for e in entries]

    model = TfidfClassifier(**arguments).fit(*read(train))
    return model.score(*read(test))['weighted_f1']


def table(rows: Sequence[dict[str, Any]]) -> str:
    """All settings, the best first."""
    ranked = sorted(rows, key=lambda row: row['mean'], reverse=True)
    header = [*GRID, 'first triple', 'all triples', 'mean']
    return markdown.table(
        header,
        [
            [
                *(str(value) for value in row['setting'].values()),
                f'{row["first"]:.4f} ± {row["first_std"]:.4f}',
                f'{row["all"]:.4f} ± {row["all_std"]:.4f}',
                f'{row["mean"]:.4f}',
            ]
            for row in ranked
        ],
    )


if __name__ == '__main__':
    run(main, as_positional=False)
