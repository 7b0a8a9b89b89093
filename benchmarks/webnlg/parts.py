"""Says how new the entities of the parts of WebNLG are, in the docs.

    python -m benchmarks.webnlg.parts --root $GMOE_DATA_ROOT/webnlg

No label is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.common import markdown
from benchmarks.common.options import run
from benchmarks.common.place import is_default
from benchmarks.common.record import ROOT
from benchmarks.webnlg.table import DOCS
from gmoe.datasets import WebNLGDataset, WebNLGEntry
from gmoe.datasets.webnlg import triples_to_graph

NAME = 'benchmarks.webnlg.parts'


def _row(
    name: str, train: Sequence[WebNLGEntry], part: Sequence[WebNLGEntry]
) -> list[str]:
    """A row about one part: what its training entries do not have."""
    entities, properties = set(), set()
    for entry in train:
        for subject, prop, target in entry.triples:
            entities |= {subject, target}
            properties.add(prop)
    graphs = [triples_to_graph(entry.triples) for entry in part]
    roots = {graph.node_text[graph.root] for graph in graphs}
    new_nodes = [
        np.mean(
            [name not in entities for s, _, o in e.triples for name in (s, o)]
        )
        for e in part
    ]
    new_properties = [
        np.mean([p not in properties for _, p, _ in e.triples]) for e in part
    ]
    return [
        name,
        f'{len(part):,}',
        f'{len(roots):,}',
        f'{np.mean([e.size for e in part]):.1f}',
        f'{100 * np.mean(new_nodes):.0f} %',
        f'{100 * np.mean(new_properties):.0f} %',
    ]


def table(dataset: WebNLGDataset, holdouts: Sequence[int]) -> str:
    """The parts as a Markdown table."""

    def entries(index: Sequence[int]) -> list[WebNLGEntry]:
        return [dataset.entries[i] for i in index]

    split = dataset.get_idx_split('clean')
    train = entries(split['train'].tolist())
    rows = [_row('dev', train, entries(split['valid'].tolist()))]
    rows += [
        _row(f'test, {name.replace("_", " ")}', train, entries(index.tolist()))
        for name, index in dataset.get_idx_subsets('clean').items()
    ]
    for holdout in holdouts:
        held = dataset.get_idx_split(holdout=holdout)
        rows.append(
            _row(
                f'held out, part {holdout}',
                entries(held['train'].tolist()),
                entries(held['valid'].tolist()),
            )
        )
    header = [
        'part',
        'graphs',
        'root entities',
        'triples per graph',
        'new names',
        'new properties',
    ]
    return markdown.table(header, rows)


def main(
    root: str = 'data/webnlg',
    holdouts: tuple[int, ...] = (0, 1, 2, 3, 4, 5),
    docs: Path | None = None,
) -> None:
    """Writes the table.

    Args:
        root: The folder that holds WebNLG.
        holdouts: The held-out parts.
        docs: The page that has its place. (default: that of the
            documentation for the default parts, one below ``runs`` for
            others)
    """
    is_own = docs is None and not is_default(main, {'holdouts': holdouts})
    docs = docs or (ROOT / 'runs/webnlg/parts.md' if is_own else DOCS)
    dataset = WebNLGDataset(
        root, dim=8, codes=True, text=False, download=False, log=False
    )
    markdown.update([docs], NAME, table(dataset, holdouts), is_own)


if __name__ == '__main__':
    run(main)
