"""Modules that somebody listens to, or has changed, run by themselves."""

import pytest
from torch import nn
from torch.nn.utils import parametrizations
from torch_geometric.explain.algorithm.utils import clear_masks, set_masks
from torch_geometric.nn import GCNConv, SAGEConv

from gmoe.nn.experts.shared import find_shared
from gmoe.nn.experts.shared.plain import is_plain, is_plain_linear
from tests.nn.experts.shared.like_loop import (
    assert_like_the_loop,
    counted,
    make_graph,
    make_pair,
)


def listen(module):
    module.register_forward_hook(lambda *_: None)


LISTENERS = {
    'forward': listen,
    'before': lambda e: e.register_forward_pre_hook(lambda *_: None),
    'backward': lambda e: e.register_full_backward_hook(lambda *_: None),
    'message': lambda e: e.register_message_forward_hook(lambda *_: None),
    'aggregate': lambda e: e.register_aggregate_forward_pre_hook(
        lambda *_: None
    ),
    'propagate': lambda e: e.register_propagate_forward_hook(lambda *_: None),
    'linear': lambda e: listen(e.lin_l),
    'weight_norm': lambda e: parametrizations.weight_norm(e.lin_l),
    'patched': lambda e: setattr(e, 'forward', e.forward),
    'replaced': lambda e: setattr(e, 'lin_l', nn.Sequential(e.lin_l)),
}


@pytest.mark.parametrize('name', LISTENERS)
def test_who_listens(name):
    experts = [SAGEConv(4, 4) for _ in range(3)]
    assert find_shared(experts) is not None
    LISTENERS[name](experts[1])
    assert find_shared(experts) is None


def test_hooks_are_called_and_taken_away():
    conv, loop = make_pair([SAGEConv(4, 4) for _ in range(3)], norm=None)
    assert_like_the_loop(conv, loop, make_graph())
    seen = []
    handle = conv.experts.experts[0].register_message_forward_hook(
        lambda module, args, out: seen.append(out.shape)
    )
    data = make_graph()
    with counted() as count:
        conv(data.x, data.edge_index)
    assert count() == 0
    assert len(seen) == 1
    handle.remove()
    assert_like_the_loop(conv, loop, data)


def test_an_explained_layer_runs_by_itself():
    conv, _ = make_pair([GCNConv(4, 4) for _ in range(3)], norm=None)
    data = make_graph()
    full = conv.eval()(data.x, data.edge_index)
    mask = full.new_ones(data.num_edges)
    set_masks(conv, mask, data.edge_index, apply_sigmoid=False)
    with counted() as count:
        masked = conv(data.x, data.edge_index)
        assert count() == 0
        clear_masks(conv)
        assert full.allclose(conv(data.x, data.edge_index))
        assert count() == 1
    assert full.allclose(masked)


def test_what_is_plain():
    assert is_plain_linear(nn.Linear(2, 2))
    assert not is_plain_linear(nn.Bilinear(2, 2, 2))
    assert is_plain(nn.Tanh())
    assert not is_plain(lambda x: x)
