"""What is its own of the bank; its outputs are tested in
test_gmoe_conv.py."""

import pytest
import torch

from gmoe import ops
from gmoe.nn import LinearGCNExperts, Neighborhood
from gmoe.routing import UniformRouter
from tests.graphs import EDGE_DIMS, random_graph


def test_neighbours_are_summed_once_per_hop(monkeypatch):
    calls = []
    add_rows = ops.add_rows

    def count(*args):
        calls.append(args[0].shape)
        return add_rows(*args)

    monkeypatch.setattr(ops, 'add_rows', count)
    data = random_graph()
    hop = Neighborhood.from_edge_index(data.edge_index, data.edge_attr, 9)
    bank = LinearGCNExperts(4, 6, 8, edge_dims=EDGE_DIMS).double()
    out = bank(data.x, UniformRouter(8)(data.x).by_expert, hop, None)
    assert out.shape == (72, 6)
    # Four features, a one for the bias, and the kinds of bonds that occur.
    kinds = len(data.edge_attr.unique(dim=0))
    assert calls == [(14, 5 + kinds)]


def test_gradients():
    torch.manual_seed(0)
    data = random_graph()
    near = Neighborhood.from_edge_index(data.edge_index, data.edge_attr, 9)
    far = random_graph(seed=1)
    attr = torch.cat([far.edge_attr, far.edge_attr.flip(0)], dim=1)
    far = Neighborhood.from_edge_index(far.edge_index, attr, 9)
    bank = LinearGCNExperts(4, 3, 3, 1, EDGE_DIMS).double()
    slots = UniformRouter(3)(data.x).by_expert
    names, values = zip(*bank.named_parameters())

    def call(x, *values):
        arguments = (x, slots, near, far)
        state = dict(zip(names, values))
        return torch.func.functional_call(bank, state, arguments)

    inputs = (data.x.requires_grad_(), *values)
    assert torch.autograd.gradcheck(call, inputs, fast_mode=True)


def test_floating_point_features_are_refused():
    with pytest.raises(ValueError, match="'edge_dims' must be numbers of cat"):
        LinearGCNExperts(4, 6, 2, edge_dims=3)
