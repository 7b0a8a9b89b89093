import pytest
import torch
from torch import nn

from gmoe.nn import GCNExperts, GMoEConv
from gmoe.routing import Router, UniformRouter, balance_loss, collect_routing


class Model(nn.Module):
    """Calls its layers in another order than it declares them."""

    def __init__(self):
        super().__init__()
        self.last = GMoEConv(GCNExperts(3, 3, 4), top_k=2)
        self.first = GMoEConv(GCNExperts(3, 3, 2), router=UniformRouter(2))
        self.linear = nn.Linear(3, 3)

    def forward(self, x, edge_index):
        x = self.first(x, edge_index)
        x = self.last(self.linear(x), edge_index)
        return self.last(x, edge_index)


def num_hooks(model):
    """Those that listen to routers."""
    return sum(
        len(module._forward_hooks)
        for module in model.modules()
        if isinstance(module, (Router, UniformRouter))
    )


def test_order_and_names():
    torch.manual_seed(0)
    model, x = Model(), torch.randn(5, 3)
    edge_index = torch.tensor([[0, 1, 2], [1, 2, 3]])
    with collect_routing(model) as routings:
        model(x, edge_index)
        assert len(routings) == 3
    assert [r.num_experts for r in routings] == [2, 4, 4]
    assert routings.names == ['first.router', 'last.router', 'last.router']
    assert num_hooks(model) == 0
    balance_loss(routings).backward()
    assert model.last.router.score_gate.weight.grad.abs().sum() > 0
    model(x, edge_index)
    assert len(routings) == 3


def test_hooks_are_removed_after_an_exception():
    model = Model()

    def fail():
        with collect_routing(model):
            assert num_hooks(model) == 2
            raise KeyError('inside')

    with pytest.raises(KeyError):
        fail()
    assert num_hooks(model) == 0


def test_router_itself_nesting_and_nothing():
    router = Router(3, 4, 2)
    with collect_routing(router) as outer, collect_routing(router) as inner:
        routing = router(torch.randn(5, 3))
    assert outer == inner == [routing]
    assert outer.names == ['']
    with collect_routing(nn.Linear(3, 3)) as none:
        pass
    assert none == []
