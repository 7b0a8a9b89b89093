import copy

import pytest
import torch

from gmoe.nn.models.virtual_node import VirtualNode

BATCH = torch.tensor([0, 0, 0, 2, 2])


def make_virtual_node(num_updates=2, dropout=0.0, residual=False):
    torch.manual_seed(0)
    module = VirtualNode(3, num_updates, dropout, residual).double()
    for parameter in module.parameters():
        parameter.data.normal_()
    return module


@pytest.mark.parametrize('residual', [True, False])
@pytest.mark.parametrize('training', [True, False])
def test_loop_over_graphs(residual, training):
    module = make_virtual_node(residual=residual).train(training)
    slow = copy.deepcopy(module)
    x = torch.randn(5, 3).double().requires_grad_()
    h, virtual = x, None
    slow_h, slow_virtual = x, [slow.embedding] * 3
    for layer in range(3):
        h, virtual = module(layer, h, virtual, BATCH, 3)
        slow_h = torch.stack(
            [slow_h[i] + slow_virtual[g] for i, g in enumerate(BATCH)]
        )
        if layer < 2:
            total = torch.stack(
                [slow_h[g == BATCH].sum(0) + slow_virtual[g] for g in range(3)]
            )
            update = slow.mlps[layer](total)
            slow_virtual = [
                update[g] + slow_virtual[g] if residual else update[g]
                for g in range(3)
            ]
        assert torch.allclose(h, slow_h, rtol=1e-10)
        assert torch.allclose(virtual, torch.stack(slow_virtual), rtol=1e-10)
        h, slow_h = h.tanh(), slow_h.tanh()


def test_initial_features_are_zero():
    module = VirtualNode(3, 1, 0.0, False)
    x = torch.randn(5, 3)
    h, virtual = module(0, x, None, BATCH, 3)
    assert torch.equal(h, x)
    assert virtual.shape == (3, 3)


def test_one_graph_in_training():
    module = make_virtual_node()
    zero = torch.zeros(2).long()
    h, virtual = module(0, torch.randn(2, 3).double(), None, zero, 1)
    assert h.isfinite().all()
    assert virtual.isfinite().all()


def test_dropout_and_reset():
    module = make_virtual_node(dropout=0.5)
    x = torch.randn(5, 3).double()
    first, second = (module(0, x, None, BATCH, 3)[1] for _ in range(2))
    assert not torch.equal(first, second)
    module.eval()
    first, second = (module(0, x, None, BATCH, 3)[1] for _ in range(2))
    assert torch.equal(first, second)
    before = copy.deepcopy(module.state_dict())
    module.reset_parameters()
    assert module.embedding.abs().sum() == 0
    for name, value in module.named_parameters():
        assert not torch.equal(value, before[name])
    assert module.mlps[0][1].running_mean.abs().sum() == 0
