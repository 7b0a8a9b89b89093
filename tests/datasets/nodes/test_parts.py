"""Some parts of a graph, beside PyG's own graphs of some nodes."""

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import subgraph

from gmoe.datasets.nodes.parts import NodeParts
from tests.graphs import random_graph


@pytest.mark.parametrize('parts', [[0], [2, 1], [0, 1, 2, 3], [3]])
@pytest.mark.parametrize('is_weighted', [False, True])
def test_graph_of_some_parts(parts, is_weighted):
    edge_index = random_graph(40, 150).edge_index
    data = Data(x=torch.rand(40, 3), edge_index=edge_index)
    if is_weighted:
        data.edge_weight = torch.rand(150)
    part = torch.randint(4, (40,), generator=torch.Generator().manual_seed(0))
    out = NodeParts(data, part).graph(parts)
    expected = torch.cat([(part == p).nonzero().view(-1) for p in parts])
    assert torch.equal(out.node, expected)
    assert torch.equal(out.x, data.x[expected])
    is_inside = torch.isin(part, torch.tensor(parts))
    weight = data.get('edge_weight', torch.ones(150))
    ends, weight = subgraph(is_inside, edge_index, weight)
    want = sorted(zip(*ends.tolist(), weight.tolist()))
    kept = out.get('edge_weight', torch.ones(out.num_edges))
    got = sorted(zip(*out.node[out.edge_index].tolist(), kept.tolist()))
    assert got == want
    assert ('edge_weight' in out) == is_weighted


def test_part_without_edges():
    data = Data(x=torch.eye(3), edge_index=torch.tensor([[0, 1], [1, 0]]))
    out = NodeParts(data, torch.tensor([0, 0, 1])).graph([1])
    assert out.x.tolist() == [[0, 0, 1]]
    assert out.edge_index.shape == (2, 0)
