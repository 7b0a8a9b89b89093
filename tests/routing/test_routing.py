"""The result of a router against plain loops over its slots."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gmoe.routing import Routing


@st.composite
def routings(draw, max_nodes: int = 7, max_experts: int = 5) -> Routing:
    """Nodes without slots and experts without nodes occur."""
    num_experts = draw(st.integers(1, max_experts))
    expert = st.integers(0, num_experts - 1)
    chosen = draw(st.lists(st.lists(expert, unique=True), max_size=max_nodes))
    return make_routing(chosen, num_experts)


def make_routing(chosen: list[list[int]], num_experts: int) -> Routing:
    sizes = torch.tensor([len(experts) for experts in chosen]).long()
    expert = torch.tensor([o for experts in chosen for o in experts]).long()
    generator = torch.Generator().manual_seed(0)
    weight = torch.rand(
        expert.numel(), generator=generator, dtype=torch.float64
    )
    return Routing(
        ptr=torch.cat([sizes.new_zeros(1), sizes.cumsum(0)]),
        expert=expert,
        weight=weight.requires_grad_(),
        num_experts=num_experts,
    )


def slot_list(routing: Routing) -> list[tuple[int, int, float]]:
    bounds = routing.ptr.tolist()
    return [
        (node, int(routing.expert[slot]), routing.weight[slot].item())
        for node, (first, last) in enumerate(zip(bounds, bounds[1:]))
        for slot in range(first, last)
    ]


@settings(max_examples=60, deadline=None)
@given(routings())
def test_views_of_the_slots(routing):
    slots = slot_list(routing)
    n = routing.num_experts
    gates = torch.zeros(routing.num_nodes, n, dtype=torch.float64)
    for node, expert, weight in slots:
        gates[node, expert] = weight
    assert routing.node.tolist() == [node for node, _, _ in slots]
    assert torch.equal(routing.gates, gates)
    assert torch.allclose(routing.importance, gates.sum(dim=0))
    counts = [sum(e == o for _, e, _ in slots) for o in range(n)]
    assert routing.counts.tolist() == counts
    assert routing.load.tolist() == counts
    assert routing.load.dtype == torch.float64


@settings(max_examples=60, deadline=None)
@given(routings())
def test_by_expert(routing):
    n = routing.num_experts
    slots = routing.by_expert
    expected = [
        slot for o in range(n) for slot in slot_list(routing) if slot[1] == o
    ]
    assert slots.node.tolist() == [node for node, _, _ in expected]
    assert slots.expert.tolist() == [o for _, o, _ in expected]
    assert slots.weight.tolist() == [weight for _, _, weight in expected]
    assert torch.equal(routing.weight[slots.order], slots.weight)
    assert torch.equal(routing.node[slots.order], slots.node)
    assert slots.ptr[0] == 0
    assert slots.ptr.diff().tolist() == [
        sum(e == o for _, e, _ in expected) for o in range(n)
    ]


@settings(max_examples=40, deadline=None)
@given(routings())
def test_to_dense(routing):
    dense = routing.to_dense()
    n = routing.num_experts
    assert dense.slots_per_node == n
    assert dense.num_slots == routing.num_nodes * n
    assert torch.equal(dense.gates, routing.gates)
    assert dense.counts.tolist() == [routing.num_nodes] * n
    assert dense.expert.tolist() == list(range(n)) * routing.num_nodes


def test_gradient_of_the_views():
    routing = make_routing([[2, 0], [], [1]], 4)
    factor = torch.arange(12.0).view(3, 4).double()
    for gates in (routing.gates, routing.to_dense().gates):
        (grad,) = torch.autograd.grad(
            (gates * factor).sum(), routing.weight, retain_graph=True
        )
        assert grad.tolist() == [2, 0, 9]
    grad = torch.autograd.grad(
        (routing.importance * factor[1]).sum(), routing.weight
    )
    assert grad[0].tolist() == [6, 4, 5]
    grad = torch.autograd.grad(
        (routing.by_expert.weight * factor[0, :3]).sum(), routing.weight
    )
    assert grad[0].tolist() == [2, 0, 1]


def test_load_of_probabilities_and_detach():
    probability = torch.rand(3, 4, requires_grad=True)
    logits = torch.rand(3, 4, requires_grad=True)
    routing = dataclasses.replace(
        make_routing([[2, 0], [], [1]], 4),
        load_probabilities=probability,
        logits=logits,
    )
    assert torch.equal(routing.load, probability.sum(dim=0))
    detached = routing.detach()
    for field in dataclasses.fields(Routing):
        value = getattr(detached, field.name)
        if isinstance(value, torch.Tensor):
            assert not value.requires_grad
            assert torch.equal(value, getattr(routing, field.name))
    assert detached.slots_per_node is None
    assert make_routing([[1]], 2).detach().logits is None
    dense = routing.to_dense()
    assert dense.logits is logits
    assert dense.load_probabilities is probability


def test_no_nodes():
    routing = make_routing([], 3)
    assert routing.num_nodes == routing.num_slots == 0
    assert routing.gates.shape == (0, 3)
    assert routing.by_expert.ptr.tolist() == [0, 0, 0, 0]
    assert routing.to_dense().num_slots == 0


def test_frozen_and_repr():
    routing = make_routing([[0], [1, 0]], 2)
    assert str(routing) == 'Routing(num_nodes=2, num_experts=2, num_slots=3)'
    with pytest.raises(dataclasses.FrozenInstanceError):
        routing.num_experts = 3
    assert routing.by_expert is routing.by_expert


def test_node_of_a_fixed_number_of_slots():
    routing = make_routing([[0, 2], [1, 0], [2, 1]], 3)
    fixed = dataclasses.replace(routing, slots_per_node=2)
    assert torch.equal(fixed.node, routing.node)
    assert fixed.node.is_contiguous()
