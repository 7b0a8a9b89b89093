"""Networks on their own rows, all at once and one by one."""

import copy

import pytest
import torch
from torch import nn

from gmoe.nn.experts.shared.networks import run_networks


def two_layers(norm=nn.BatchNorm1d):
    return nn.Sequential(
        nn.Linear(3, 6), norm(6), nn.ReLU(inplace=True), nn.Linear(6, 2)
    )


class Own(nn.BatchNorm1d):
    """What runs one by one, as nobody knows what it does."""


def make(norm, sizes=(3, 0, 5, 1)):
    torch.manual_seed(0)
    networks = [two_layers(norm).double() for _ in sizes]
    for network in networks:
        for parameter in network.parameters():
            parameter.data.normal_()
    rows = torch.randn(sum(sizes), 3).double().requires_grad_()
    ptr = torch.tensor([0, *sizes]).cumsum(0)
    return networks, rows, ptr


def step(networks, rows, ptr):
    out = run_networks(networks, rows, ptr, 2)
    parameters = [p for network in networks for p in network.parameters()]
    grads = torch.autograd.grad(out.square().sum(), [rows, *parameters])
    buffers = [b.clone() for network in networks for b in network.buffers()]
    return [out, *grads, *buffers]


@pytest.mark.parametrize('training', [True, False])
def test_both_ways_give_the_same(training):
    steps = []
    for norm in (nn.BatchNorm1d, Own):
        networks, rows, ptr = make(norm)
        for network in networks:
            network.train(training)
        steps.append(step(networks, rows, ptr))
        assert all(network.training == training for network in networks)
        norms = [network[1] for network in networks]
        assert all(norm.training == training for norm in norms)
        seen = [int(norm.num_batches_tracked) for norm in norms]
        # Neither no row nor one alone has statistics.
        assert seen == ([1, 0, 1, 0] if training else [0] * 4)
    for new, old in zip(*steps):
        torch.testing.assert_close(new, old, rtol=1e-10, atol=1e-10)


def test_each_by_itself_is_the_reference():
    networks, rows, ptr = make(nn.BatchNorm1d, (4, 2, 3))
    alone = copy.deepcopy(networks)
    out = run_networks(networks, rows, ptr, 2)
    parts = [n(part) for n, part in zip(alone, rows.split([4, 2, 3]))]
    torch.testing.assert_close(out, torch.cat(parts), rtol=1e-10, atol=1e-10)
    for network, other in zip(networks, alone):
        for value, expected in zip(network.buffers(), other.buffers()):
            torch.testing.assert_close(value, expected)


def test_different_networks():
    torch.manual_seed(0)
    networks = [nn.Linear(3, 2), nn.Sequential(nn.Linear(3, 2), nn.Tanh())]
    rows = torch.randn(5, 3)
    out = run_networks(networks, rows, torch.tensor([0, 2, 5]), 2)
    parts = [n(part) for n, part in zip(networks, rows.split([2, 3]))]
    torch.testing.assert_close(out, torch.cat(parts))
