import pytest
import torch

from gmoe.routing import UniformRouter, importance_loss, load_loss


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
@pytest.mark.parametrize('num_nodes', [0, 1, 5])
@pytest.mark.parametrize('num_experts', [1, 3])
def test_uniform_router(dtype, num_nodes, num_experts):
    router = UniformRouter(num_experts)
    router.reset_parameters()
    routing = router(torch.randn(num_nodes, 2, dtype=dtype))
    assert routing.gates.shape == (num_nodes, num_experts)
    assert (routing.gates == torch.tensor(1 / num_experts, dtype=dtype)).all()
    assert routing.weight.dtype == dtype
    assert routing.slots_per_node == num_experts
    assert torch.equal(
        routing.ptr.diff(), torch.tensor([num_experts] * num_nodes).long()
    )
    assert routing.counts.tolist() == [num_nodes] * num_experts
    assert routing.logits is None
    assert routing.load_probabilities is None
    assert importance_loss(routing) < 1e-12
    assert load_loss(routing) == 0


def test_uniform_router_has_no_state():
    router = UniformRouter(3)
    assert list(router.parameters()) == []
    assert router.state_dict() == {}
    assert str(router) == 'UniformRouter(3)'
    half = router(torch.zeros(2, 2, dtype=torch.bfloat16))
    assert half.weight.dtype == torch.float32
