"""Balance without a loss, against one node at a time and step by step."""

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from gmoe.routing import (
    BalancedTopK,
    Router,
    balance_loss,
    hold_selection,
    update_balance,
)

N, D, E, K = 12, 3, 5, 2


def make_router(seed: int = 0, **kwargs) -> Router:
    torch.manual_seed(seed)
    router = Router(
        D, E, K, select='balanced_top_k', select_kwargs=kwargs
    ).double()
    nn.init.normal_(router.score_gate.weight)
    return router


def features(num_nodes: int = N, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num_nodes, D, generator=generator).double()


def slow_gates(
    scores: Tensor, bias: Tensor, affinity: str, renormalize: bool
) -> Tensor:
    rows = []
    for row in scores:
        if affinity == 'sigmoid':
            s = [1 / (1 + (-value).exp()) for value in row]
        else:
            s = [value.exp() / row.exp().sum() for value in row]
        biased = [float(s[o]) + float(bias[o]) for o in range(E)]
        chosen = sorted(range(E), key=lambda o: (-biased[o], o))[:K]
        norm = sum(s[o] for o in chosen) if renormalize else 1
        zero = row.new_zeros(())
        rows.append(
            torch.stack(
                [s[o] / norm if o in chosen else zero for o in range(E)]
            )
        )
    return torch.stack(rows)


@pytest.mark.parametrize('affinity', ['sigmoid', 'softmax'])
@pytest.mark.parametrize('renormalize', [True, False])
def test_gates(affinity, renormalize):
    router = make_router(affinity=affinity, renormalize=renormalize)
    plain = router(features())
    router.selection.bias.copy_(torch.tensor([0.3, -0.4, 0.0, 0.9, -0.1]))
    routing = router(features())
    scores = router.score_gate(features())
    bias = router.selection.bias
    expected = slow_gates(scores, bias, affinity, renormalize)
    assert torch.allclose(routing.gates, expected, rtol=1e-12)
    assert not torch.equal(routing.expert, plain.expert)
    assert routing.slots_per_node == K
    direction = torch.randn(N, E).double()
    grads = [
        torch.autograd.grad((g * direction).sum(), router.score_gate.weight)[0]
        for g in (routing.gates, expected)
    ]
    assert torch.allclose(*grads, rtol=1e-9, atol=1e-12)
    # The bias counts in evaluation as well, and is held with the selection.
    assert torch.equal(router.eval()(features()).gates, routing.gates)
    with hold_selection(router, [routing]):
        held = router(features(seed=2))
    scores = router.score_gate(features(seed=2))
    weight = scores.sigmoid() if affinity == 'sigmoid' else scores.softmax(1)
    weight = weight * (routing.gates > 0)
    if renormalize:
        weight = weight / weight.sum(dim=1, keepdim=True)
    assert torch.allclose(held.gates, weight)


def test_update():
    router = make_router(rate=0.25)
    counts = router(features()).counts + router(features(7, seed=3)).counts
    assert not router.selection.bias.any()
    update_balance(router)
    mean = float(counts.sum()) / E
    expected = [0.25 * ((mean > c) - (mean < c)) for c in counts.tolist()]
    assert router.selection.bias.tolist() == expected
    assert len(set(expected)) > 1
    # Nothing was counted since.
    update_balance(router)
    router.eval()(features())
    update_balance(router)
    assert router.selection.bias.tolist() == expected
    router.reset_parameters()
    assert not router.selection.bias.any()


def test_equal_loads_stay():
    selection = BalancedTopK(4, 1, rate=0.5)
    router = Router(4, 4, select=selection)
    router.score_gate.weight.data.copy_(torch.eye(4))
    router(torch.eye(4))
    selection.update()
    assert not selection.bias.any()


def test_it_balances():
    router = make_router(rate=0.02)
    x = features(100) + torch.tensor([2.0, 0.0, 0.0]).double()
    before = balance_loss(router(x).detach())
    for _ in range(150):
        router(x)
        update_balance(router)
    assert balance_loss(router(x).detach()) < 0.1 * before


@pytest.mark.parametrize('reentrant', [True, False])
def test_a_pass_that_is_computed_again(reentrant):
    biases, grads = [], []
    for again in (False, True):
        router = make_router(rate=0.25)
        for step in range(4):
            for part in range(2):  # Accumulated.
                x = features(seed=10 * step + part).requires_grad_()

                def gates(x: Tensor, router: Router = router) -> Tensor:
                    return router(x).gates.square()

                out = (
                    checkpoint(gates, x, use_reentrant=reentrant)
                    if again
                    else gates(x)
                )
                out.sum().backward()
            update_balance(router)
        biases.append(router.selection.bias)
        grads.append(router.score_gate.weight.grad)
    assert biases[0].any()
    assert torch.equal(*biases)
    assert torch.equal(*grads)


def test_several_processes(monkeypatch):
    # What the two processes count is summed.
    mine, other = make_router(rate=0.25), make_router(rate=0.25)
    both = make_router(rate=0.25)
    first, second = features(), features(30, seed=4)
    sizes = mine(first).counts, other(second).counts
    both(torch.cat([first, second]))
    both.selection.update()
    monkeypatch.setattr('gmoe.routing.balanced.is_distributed', lambda: True)
    for router, missing in ((mine, sizes[1]), (other, sizes[0])):
        monkeypatch.setattr(
            dist, 'all_reduce', lambda value, m=missing: value.add_(m)
        )
        router.selection.update()
        assert torch.equal(router.selection.bias, both.selection.bias)
    # One without nodes takes part.
    idle = make_router(rate=0.25)
    monkeypatch.setattr(
        dist, 'all_reduce', lambda value: value.add_(sum(sizes))
    )
    idle.selection.update()
    assert torch.equal(idle.selection.bias, both.selection.bias)


def test_parallel_training_leaves_the_counts():
    dist.init_process_group(
        'gloo', store=dist.HashStore(), rank=0, world_size=1
    )
    try:
        router, alone = make_router(rate=0.25), make_router(rate=0.25)
        parallel = DistributedDataParallel(router)
        for seed in range(3):
            parallel(features(seed=seed)).gates.square().sum().backward()
            alone(features(seed=seed))
        update_balance(parallel)
        update_balance(alone)
        assert torch.equal(router.selection.bias, alone.selection.bias)
    finally:
        dist.destroy_process_group()


def test_state_dict_and_types():
    router, other = make_router(rate=0.25), make_router(seed=7)
    router(features())
    update_balance(router)
    assert set(router.state_dict()) == {
        'score_gate.weight',
        'selection.bias',
    }
    other.load_state_dict(router.state_dict())
    assert torch.equal(other.selection.bias, router.selection.bias)
    # A step of 0.001 is less than bfloat16 has room for beside 1.
    low = Router(D, E, K, select='balanced_top_k')
    low.selection.bias.fill_(1.001)
    low = low.bfloat16()
    assert low.score_gate.weight.dtype == torch.bfloat16
    assert torch.equal(low.selection.bias, torch.full((E,), 1.001))
    routing = low(features().bfloat16())
    assert routing.weight.dtype == torch.float32
    assert low.double().selection.bias.dtype == torch.float64


def test_no_nodes_one_expert_and_large_scores():
    router = make_router()
    assert router(features(0)).num_slots == 0
    update_balance(router)
    assert not router.selection.bias.any()
    one = Router(D, 1, 1, select='balanced_top_k').double()
    assert torch.equal(one(features()).gates, torch.ones(N, 1).double())
    update_balance(one)
    assert not one.selection.bias.any()
    router.score_gate.weight.data.fill_(-1e3)
    assert router(features().abs()).gates.isfinite().all()


def test_compile_without_graph_breaks():
    router = make_router(rate=0.25)
    slow = make_router(rate=0.25)
    torch._dynamo.reset()
    compiled = torch.compile(
        lambda x: router(x).by_expert.weight, fullgraph=True, backend='eager'
    )
    for size in (7, 12, 30):
        x = features(size)
        assert torch.allclose(compiled(x), slow(x).by_expert.weight)
    update_balance(router)
    update_balance(slow)
    assert torch.equal(router.selection.bias, slow.selection.bias)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'num_experts': 0}, "'num_experts' must be .* got 0"),
        ({'top_k': 0}, "'top_k' must be an integer from 1 to 4, got 0"),
        ({'top_k': 5}, "'top_k' must be .* got 5"),
        ({'rate': -1}, "'rate' must be a number >= 0, got -1"),
        ({'rate': float('nan')}, "'rate' must be .* got nan"),
        ({'affinity': 'max'}, "'affinity' must be one of .* got 'max'"),
    ],
)
def test_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        BalancedTopK(**{'num_experts': 4, 'top_k': 2, **kwargs})
