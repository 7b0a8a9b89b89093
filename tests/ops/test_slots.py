"""Slots as nodes and as a matrix, against plain lists."""

import torch

from gmoe.ops.slots import dense_gates, slot_nodes


def test_nodes():
    ptr = torch.tensor([0, 2, 2, 3])
    assert slot_nodes(ptr, 3).tolist() == [0, 0, 2]
    fixed = torch.arange(0, 7, 2)
    assert slot_nodes(fixed, 6, 2).tolist() == [0, 0, 1, 1, 2, 2]
    assert torch.equal(slot_nodes(fixed, 6), slot_nodes(fixed, 6, 2))
    assert slot_nodes(torch.tensor([0]), 0).tolist() == []


def test_gates():
    weight = torch.tensor([1.0, 2.0, 4.0, 8.0], requires_grad=True)
    expert, node = torch.tensor([2, 0, 1, 1]), torch.tensor([0, 0, 2, 2])
    gates = dense_gates(weight, expert, node, (3, 3))
    # Two slots of node 2 have the same expert.
    assert gates.tolist() == [[2, 0, 1], [0, 0, 0], [0, 12, 0]]
    (grad,) = torch.autograd.grad(gates[2].sum(), weight)
    assert grad.tolist() == [0, 0, 1, 1]
