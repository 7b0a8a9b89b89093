import pytest
import torch
from torch_geometric.data import Batch, Data

from gmoe.transforms import MaskProperties


def make(num_triples: int = 1000) -> Data:
    code = (torch.arange(num_triples) + 1).repeat_interleave(2)
    direction = torch.arange(2).repeat(num_triples)
    return Data(edge_attr=torch.stack([code, direction], dim=1), num_nodes=1)


def test_ratio():
    generator = torch.Generator().manual_seed(0)
    data = make()
    attr = data.edge_attr
    out = MaskProperties(0.3, generator)(data).edge_attr
    assert bool((attr[:, 0] > 0).all())  # Shared with other copies.
    hidden = out[:, 0] == 0
    assert torch.equal(hidden[::2], hidden[1::2])
    assert torch.equal(out[~hidden], attr[~hidden])
    assert torch.equal(out[:, 1], attr[:, 1])
    assert 0.25 < float(hidden.float().mean()) < 0.35


def test_none_and_all():
    assert torch.equal(MaskProperties(0.0)(make()).edge_attr, make().edge_attr)
    batch = MaskProperties(1.0)(Batch.from_data_list([make(2), make(3)]))
    assert not batch.edge_attr[:, 0].any()
    assert MaskProperties(0.5)(make(0)).edge_attr.shape == (0, 2)


def test_raises():
    with pytest.raises(ValueError, match='ratio'):
        MaskProperties(-0.1)
    with pytest.raises(TypeError, match="'edge_attr'"):
        MaskProperties()(Data(num_nodes=2))
    for attr in (torch.ones(4, 2), torch.ones(3, 2).long()):
        with pytest.raises(ValueError, match="'edge_attr' must hold"):
            MaskProperties()(Data(edge_attr=attr, num_nodes=2))
    assert str(MaskProperties(0.2)) == 'MaskProperties(ratio=0.2)'


def test_edges_that_are_no_pairs():
    data = make(2)
    data.edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    MaskProperties(0.5)(data.clone())
    order = torch.tensor([0, 2, 1, 3])
    data.edge_index, attr = data.edge_index[:, order], data.edge_attr
    for data.edge_attr in (attr, attr[order]):
        with pytest.raises(ValueError, match="'edge_index' must hold"):
            MaskProperties(0.5)(data)
