"""Molecules in the codes of the pretrained networks, by hand."""

import pytest

from gmoe.molecules import pretrain_gnns_graph

pytest.importorskip('rdkit', reason="the extra 'mol' is not installed")


def test_codes():
    graph = pretrain_gnns_graph('N[C@H](C)C#N')
    assert graph.x.tolist() == [[6, 0], [5, 2], [5, 0], [5, 0], [6, 0]]
    assert graph.edge_index.t().tolist()[:4] == [
        [0, 1],
        [1, 0],
        [1, 2],
        [2, 1],
    ]
    assert graph.edge_attr.tolist() == [[0, 0]] * 6 + [[2, 0]] * 2
    other = pretrain_gnns_graph('N[C@@H](C)C#N')
    assert other.x[1].tolist() == [5, 1]
    assert graph.featurization == 'pretrain-gnns'


def test_directions_and_rings():
    graph = pretrain_gnns_graph('F/C=C\\Br')
    assert graph.edge_attr[::2].tolist() == [[0, 1], [1, 0], [0, 2]]
    assert pretrain_gnns_graph('c1ccccc1').edge_attr[:, 0].eq(3).all()


def test_what_has_no_code_is_masked():
    assert pretrain_gnns_graph('*C').x.tolist() == [[119, 0], [5, 0]]
    graph = pretrain_gnns_graph('C->[Fe]')
    assert graph.edge_attr.tolist() == [[5, 0], [5, 0]]
    single = pretrain_gnns_graph('O')
    assert single.edge_index.shape == (2, 0)
    assert single.edge_attr.shape == (0, 2)


@pytest.mark.parametrize('smiles', ['', 'C(', None, 3])
def test_refused(smiles):
    with pytest.raises(ValueError, match="'smiles' must be the SMILES string"):
        pretrain_gnns_graph(smiles)
