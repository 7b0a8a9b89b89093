"""Graphs out of two tables."""

import pytest
import torch

from gmoe.datasets import load_nodes
from gmoe.datasets.nodes.tables import read_tables
from tests.datasets.nodes import small


def test_graph_is_that_of_the_tables(tmp_path):
    data, classes, ids = read_tables(small.write_tables(tmp_path / 'own'))
    expected = small.make_graph()
    assert classes == ('blue', 'green', 'red')
    assert ids[:2] == ('n00', 'n01')
    assert torch.equal(data.y, 2 - expected.y)
    for key in ('x', 'edge_index', 'train_mask', 'val_mask', 'test_mask'):
        assert torch.equal(data[key], expected[key]), key
    graph = load_nodes(tmp_path / 'own')
    assert graph.info.name == 'own'
    assert graph.data.num_edges == 2 * expected.num_edges


NODES = 'id,a,label,split\nx,1,c,train\ny,2,d,val\nz,3,,\n'
EDGES = 'source,target,weight\nx,y,0.5\ny,z,2\n'


def write(folder, nodes=NODES, edges=EDGES):
    (folder / 'nodes.csv').write_text(nodes)
    (folder / 'edges.csv').write_text(edges)
    return folder


def test_weights_and_unknown_classes(tmp_path):
    data, _, _ = read_tables(write(tmp_path))
    assert data.edge_weight.tolist() == [0.5, 2]
    assert data.y.tolist() == [0, 1, -1]
    assert data.edge_index.tolist() == [[0, 1], [1, 2]]
    graph = load_nodes(tmp_path).data
    assert graph.edge_weight.tolist() == [0.5, 0.5, 2, 2]


def test_numbers_are_classes_in_their_order(tmp_path):
    nodes = 'id,a,label\n1,1,10\n2,1,9\n3,1,10\n'
    edges = 'source,target\n1,2\n'
    data, classes, _ = read_tables(write(tmp_path, nodes, edges))
    assert classes == ('9', '10')
    assert data.y.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ('nodes', 'edges', 'message'),
    [
        (
            NODES + 'x,1,c,\n',
            EDGES,
            "'id' must be different, got 'x' in line 5",
        ),
        (NODES, EDGES + 'x,w,1\n', "'target' must be an id .* 'w' in line 4"),
        (NODES + 'w,,c,\n', EDGES, "'a' must be a number, got '' in line 5"),
        (NODES + 'w,nan,c,\n', EDGES, "'a' must be a number"),
        (NODES + 'w,1e99,c,\n', EDGES, "'a' must be a number"),
        (NODES + 'w,1,c,dev\n', EDGES, "'split' must be train, val"),
        (NODES, EDGES + 'x,z,much\n', "'weight' must be a number"),
        (NODES + ',1,c,\n', EDGES, "'id' must not be empty"),
        (NODES, EDGES + 'x\n', "'target' must be an id .* '' in line 4"),
        (
            'id,label\nx,c\ny,d\n',
            'source,target\n',
            'column for each feature',
        ),
        (
            NODES.replace(',d,', ',c,'),
            EDGES,
            r"2 to 1000 classes as 'label', got 1: \['c'\]",
        ),
        (NODES.replace('1,c', '1,2,c'), EDGES, 'must be a table in CSV'),
        ('id,a\nx,1\n', EDGES, "columns .*'label'"),
        (NODES, 'from,to\nx,y\n', "columns .*'source'"),
        ('', EDGES, 'must be a table in CSV'),
        (NODES + '"', EDGES, 'must be a table in CSV'),
    ],
)
def test_other_tables_are_refused(nodes, edges, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_tables(write(tmp_path, nodes, edges))


def test_missing_table(tmp_path):
    write(tmp_path)
    (tmp_path / 'edges.csv').unlink()
    with pytest.raises(FileNotFoundError, match='edges.csv'):
        read_tables(tmp_path)
