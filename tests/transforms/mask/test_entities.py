import pytest
import torch
from torch_geometric.data import Batch, Data

from gmoe.transforms import MaskEntities


def make(num_nodes: int = 1000) -> Data:
    return Data(
        x=torch.ones(num_nodes, 5),
        edge_index=torch.empty(2, 0, dtype=torch.long),
        node_type=torch.arange(num_nodes) % 2,
    )


def test_ratio():
    generator = torch.Generator().manual_seed(0)
    transform = MaskEntities(3, 0.3, generator=generator)
    data = make()
    x = data.x
    out = transform(data)
    assert bool((x == 1).all())  # Shared with other copies of the graph.
    is_hidden = ~out.x[:, :3].any(dim=1)
    assert bool((out.x[~is_hidden] == 1).all())
    assert bool((out.x[:, 3:] == 1).all())
    assert not is_hidden[1::2].any()
    assert 0.25 < float(is_hidden[::2].float().mean()) < 0.35


def test_none_and_all():
    assert bool((MaskEntities(3, 0.0)(make()).x == 1).all())
    out = MaskEntities(5, 1.0, literals=True)(Batch.from_data_list([make(4)]))
    assert not out.x.any()
    assert MaskEntities(3, 0.5)(make(0)).x.shape == (0, 5)


def test_raises():
    with pytest.raises(ValueError, match='ratio'):
        MaskEntities(3, 1.5)
    with pytest.raises(TypeError, match='node_type'):
        MaskEntities(3)(Data(x=torch.ones(2, 2)))
    for value in (None, 0, 6):
        with pytest.raises(ValueError, match='num_text_features'):
            MaskEntities(value)(make())
    # One kind would be that of all nodes.
    data = make()
    data.node_type = data.node_type[:1]
    with pytest.raises(ValueError, match=r"'node_type' must be.*\[1000\]"):
        MaskEntities(3)(data)


def test_repr():
    assert str(MaskEntities(3)) == 'MaskEntities(ratio=0.5, literals=False)'
