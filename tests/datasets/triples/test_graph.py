import time

import pytest

from gmoe.datasets.triples.graph import find_root, triples_to_graph
from gmoe.datasets.triples.text import NodeType
from gmoe.datasets.webnlg import parse_triple
from tests.datasets.webnlg_files import BEAN


def test_graph():
    graph = triples_to_graph([parse_triple(text) for text in BEAN])
    assert graph.node_text == [
        'Alan Bean',
        '15 March 1932',
        'Apollo 12',
        'NASA',
    ]
    kinds = [NodeType.ENTITY, NodeType.DATE, NodeType.ENTITY, NodeType.ENTITY]
    assert graph.node_type == kinds
    assert graph.source == [0, 0, 2]
    assert graph.target == [1, 2, 3]
    assert graph.property_text == ['birth date', 'mission', 'operator']
    assert graph.root == 0


def test_literals_link_nothing():
    graph = triples_to_graph(
        [('A', 'birthYear', '1950'), ('B', 'birthYear', '1950')]
    )
    assert graph.node_text == ['A', '1950', 'B', '1950']
    assert graph.target == [1, 3]
    shared = triples_to_graph([('A', 'city', 'C'), ('B', 'city', 'C')])
    assert shared.target == [1, 1]


def test_subject_is_an_entity():
    graph = triples_to_graph([('1950', 'in', 'C'), ('A', 'year', '1950')])
    assert graph.node_text == ['1950', 'C', 'A']
    assert graph.node_type[0] == NodeType.ENTITY
    assert graph.target == [1, 0]


@pytest.mark.parametrize(
    ('source', 'target', 'root'),
    [
        ([0], [1], 0),
        ([1, 0], [2, 1], 0),  # A chain, the last triple first.
        ([0, 1, 1], [2, 2, 3], 1),  # Two that are free: the longer reach.
        ([0, 1], [2, 2], 0),  # The first of equals.
        ([0, 1], [1, 0], 0),  # A cycle.
        ([0, 1, 1], [1, 0, 0], 1),  # A cycle: the one with more triples.
        ([0], [0], 0),
    ],
)
def test_root(source: list[int], target: list[int], root: int):
    assert find_root(source, target) == root


def test_no_triples():
    with pytest.raises(ValueError, match='at least one'):
        triples_to_graph([])


def test_a_large_graph_takes_no_time():
    # A file whose author forgot the blank lines.
    triples = [(f'S{i}', 'p', f'O{i % 50}') for i in range(10_000)]
    start = time.monotonic()
    graph = triples_to_graph(triples)
    assert time.monotonic() - start < 5
    assert graph.root == 0
