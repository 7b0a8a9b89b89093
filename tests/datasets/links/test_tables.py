"""Links out of tables."""

import pytest
import torch

from gmoe.datasets.links.tables import once, read_link_table, read_pairs
from tests.datasets.links import small

NODES = 'id,a,label,split\nx,1,c,train\ny,2,d,val\nz,3,,\n'
EDGES = 'source,target,split,label\nx,y,train,1\ny,z,val,1\nx,z,test,0\n'


def write(folder, edges=EDGES, nodes=None):
    (folder / 'edges.csv').write_text(edges)
    if nodes is None:
        return folder / 'edges.csv'
    (folder / 'nodes.csv').write_text(nodes)
    return folder


def test_list_of_edges(tmp_path):
    data, pairs, ids = read_link_table(write(tmp_path))
    assert (data.num_nodes, 'x' in data) == (3, False)
    assert ids == ('x', 'y', 'z')
    assert pairs.values.tolist() == [
        [0, 1, 'train', True],
        [1, 2, 'valid', True],
        [0, 2, 'test', False],
    ]
    plain = write(tmp_path, 'source,target\n7,007\n')
    data, pairs, ids = read_link_table(plain)
    assert ids == ('7', '007')
    assert pairs.values.tolist() == [[0, 1, '', True]]


def test_nodes_with_features(tmp_path):
    nodes = NODES + 'lonely,4,c,\n'
    data, pairs, ids = read_link_table(write(tmp_path, EDGES, nodes))
    assert data.x.tolist() == [[1], [2], [3], [4]]
    assert data.num_nodes == 4
    assert ids[3] == 'lonely'
    data, _, _ = read_link_table(write(tmp_path, EDGES, 'id\nx\ny\nz\n'))
    assert 'x' not in data


def test_pairs_to_score(tmp_path):
    path = write(tmp_path, 'source,target\nz,x\n')
    assert read_pairs(path, ('x', 'y', 'z')).tolist() == [[2], [0]]
    with pytest.raises(ValueError, match="'source' must be an id .* 'z'"):
        read_pairs(path, ('x', 'y'))


def test_equal_ones():
    pairs = torch.tensor([[3, 1, 0, 1], [1, 0, 5, 3]])
    kept, count = once(pairs, 6)
    assert kept.tolist() == [[3, 1, 0], [1, 0, 5]]
    assert count == 1


@pytest.mark.parametrize(
    ('edges', 'nodes', 'message'),
    [
        (EDGES + 'x,w,test,1\n', NODES, "'target' must be an id .* 'w'"),
        (
            EDGES + 'x,x,test,1\n',
            None,
            "'target' must be another node than 'source', got 'x' in line 5",
        ),
        (EDGES + 'x,,test,1\n', None, "'target' must be an id .* ''"),
        (EDGES.split()[0], None, 'must have a row for each pair, got none'),
        (EDGES + 'x,z,dev,1\n', None, "'split' must be train, val or test"),
        (EDGES + 'x,z,,1\n', None, "'split' must be .* '' in line 5"),
        (EDGES + 'x,z,test,yes\n', None, "'label' must be 1 or 0"),
        (EDGES + 'x,z,train,0\n', None, "'label' must be 1 in training"),
        (
            'source,target,label\nx,y,1\n',
            None,
            "must have the column 'split' beside 'label'",
        ),
        ('from,to\nx,y\n', None, "columns .*'source'"),
        (EDGES, 'id,a\nx,much\ny,1\nz,1\n', "'a' must be a number"),
        (EDGES, 'name,a\nx,1\n', "columns .*'id'"),
        (EDGES, NODES + 'x,1,c,\n', "'id' must be different"),
    ],
)
def test_refused(edges, nodes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_link_table(write(tmp_path, edges, nodes))


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'edges\.csv'):
        read_link_table(tmp_path)
    small.write_table(tmp_path / 'edges.csv')
    with pytest.raises(FileNotFoundError, match=r'nodes\.csv'):
        read_link_table(tmp_path)
