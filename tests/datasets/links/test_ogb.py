"""OGB's layout of links."""

import pytest
import torch

from gmoe.datasets import LINK_SETS, CorruptDatasetError, load_links
from gmoe.datasets.links.ogb import read_ogb_links
from tests.datasets.links import small
from tests.datasets.nodes.small import write_gzip


@pytest.mark.parametrize('name', list(LINK_SETS))
def test_official_split(name, tmp_path):
    folder = small.write_ogb(tmp_path, name)
    data, split = read_ogb_links(folder, LINK_SETS[name])
    assert torch.equal(data.edge_index, small.PARTS['train'])
    for part, links in small.PARTS.items():
        assert torch.equal(split.links[part], links)
    for part, others in small.OTHERS.items():
        assert torch.equal(split.others[part], others)
    assert ('x' in data) == (name == 'ogbl-ppa')
    if 'x' in data:
        assert torch.equal(data.x, torch.eye(58)[: small.NUM_NODES])
    graph = load_links(name, tmp_path)
    assert graph.info is LINK_SETS[name]
    assert graph.notes == ()
    assert graph.data.num_edges == 36


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'raw': torch.tensor([[0], [12]])}, 'edge.csv.gz.* 0 to 11, got 12'),
        ({'raw': torch.tensor([[5], [5]])}, 'node 5 with itself'),
        ({'test': torch.tensor([[0], [-1]])}, 'test.pt.* from 0 to 11'),
        ({'train': torch.tensor([[0], [0]])}, 'train.pt.* itself'),
    ],
)
def test_other_nodes(changes, message, tmp_path):
    folder = small.write_ogb(tmp_path, **changes)
    with pytest.raises(CorruptDatasetError, match=message):
        read_ogb_links(folder, LINK_SETS['ogbl-ddi'])


def test_missing_and_wrong_files(tmp_path):
    info = LINK_SETS['ogbl-ppa']
    folder = small.write_ogb(tmp_path, 'ogbl-ppa')
    path = folder / 'raw' / 'node-feat.csv.gz'
    write_gzip(path, [['inf'] * 58] * small.NUM_NODES)
    with pytest.raises(CorruptDatasetError, match='features must be finite'):
        read_ogb_links(folder, info)
    write_gzip(path, [[0] * 57] * small.NUM_NODES)
    with pytest.raises(CorruptDatasetError, match='58 columns'):
        read_ogb_links(folder, info)
    path.unlink()
    with pytest.raises(FileNotFoundError, match='node-feat'):
        read_ogb_links(folder, info)


def test_real_ones(data_root):
    """Of the sizes that OGB states; no link is in two parts."""
    graph = load_links('ogbl-ddi', data_root)
    assert graph.data.num_nodes == 4267
    assert graph.data.edge_index.shape == (2, 2 * 1_067_911)
    sizes = [graph.links[part].size(1) for part in small.PARTS]
    assert sizes == [1_067_911, 133_489, 133_489]
    assert graph.others['valid'].size(1) == 101_882
    assert graph.others['test'].size(1) == 95_599
    assert graph.notes == ()
