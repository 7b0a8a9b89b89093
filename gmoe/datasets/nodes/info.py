"""What is known of the public graphs before they are read."""

from __future__ import annotations

from dataclasses import dataclass

from gmoe.datasets.molecules.info import BINARY, MULTICLASS


@dataclass(frozen=True)
class NodeInfo:
    """A graph whose nodes are classified.

    Args:
        name: Its name, which decides on the evaluator.
        task_type: :obj:`"multiclass classification"` for nodes of one of
            several classes, :obj:`"binary classification"` for one or more
            labels that are 0 or 1.
        eval_metric: The score that is usual for it.
        folder: Where it is below the root of all data.
        layout: How its files are laid out.
    """

    name: str
    task_type: str
    eval_metric: str
    folder: str
    layout: str


def _accuracy(name: str, folder: str, layout: str) -> NodeInfo:
    return NodeInfo(name, MULTICLASS, 'accuracy', folder, layout)


def _area(name: str, folder: str, layout: str) -> NodeInfo:
    return NodeInfo(name, BINARY, 'rocauc', folder, layout)


_SETS = [
    *(
        _accuracy(name, f'planetoid/{name}', 'planetoid')
        for name in ('Cora', 'CiteSeer', 'PubMed')
    ),
    *(
        _accuracy(name, f'amazon/{name}', 'citation')
        for name in ('Photo', 'Computers')
    ),
    *(
        _accuracy(name, f'coauthor/{name}', 'citation')
        for name in ('CS', 'Physics')
    ),
    *(
        _accuracy(name, f'heterophilous/{name}', 'heterophilous')
        for name in (
            'roman_empire',
            'amazon_ratings',
            'chameleon_filtered',
            'squirrel_filtered',
            'actor',
        )
    ),
    *(
        _area(name, f'heterophilous/{name}', 'heterophilous')
        for name in ('minesweeper', 'tolokers', 'questions')
    ),
    _accuracy('ogbn-arxiv', 'ogb/ogbn_arxiv', 'ogb'),
    _area('ogbn-proteins', 'ogb/ogbn_proteins', 'ogb'),
]
#: The public graphs by name.
NODE_SETS: dict[str, NodeInfo] = {info.name: info for info in _SETS}
