"""What networks are made of, and whether they can run together."""

import pytest
import torch
from torch import nn
from torch_geometric.nn import MLP, BatchNorm

from gmoe.nn.experts.shared.steps import signature_of_step, steps_of


def kinds(network):
    return [type(step).__name__ for step in steps_of(network)]


def test_nested_sequences():
    inner = nn.Sequential(nn.Linear(3, 4), BatchNorm(4))
    assert kinds(nn.Sequential(inner, nn.Dropout(0.5))) == [
        'Linear',
        'BatchNorm1d',
        'Dropout',
    ]


@pytest.mark.parametrize(
    'settings',
    [
        {},
        {'act_first': True},
        {'norm': None, 'act': 'tanh'},
        {'act': None, 'bias': False},
        {'plain_last': False},
        {'dropout': 0.5},
    ],
)
def test_mlp_of_pyg(settings):
    torch.manual_seed(0)
    network = MLP([3, 6, 5, 2], **settings)
    steps = steps_of(network)
    assert all(signature_of_step(step) for step in steps)
    rows = torch.randn(7, 3)
    torch.manual_seed(1)
    expected = network(rows)
    torch.manual_seed(1)
    assert torch.equal(nn.Sequential(*steps)(rows), expected)


def test_what_runs_by_itself():
    function = MLP([3, 6, 2], act=torch.sin)
    other = MLP([3, 6, 2], norm='layer_norm')
    listened = nn.Sequential(nn.Linear(3, 2))
    listened.register_forward_hook(lambda *_: None)
    for network in (function, nn.GRUCell(3, 2), listened):
        assert steps_of(network) == [network]
        assert signature_of_step(network) is None
    assert None in [signature_of_step(step) for step in steps_of(other)]
    for norm in (
        nn.BatchNorm1d(3, affine=False),
        nn.BatchNorm1d(3, track_running_stats=False),
        nn.BatchNorm1d(3, momentum=None),
        nn.SyncBatchNorm(3),
        nn.PReLU(),
    ):
        assert signature_of_step(norm) is None


def test_what_differs():
    for one, other in (
        (nn.Linear(3, 2), nn.Linear(3, 3)),
        (nn.Linear(3, 2), nn.Linear(3, 2, bias=False)),
        (nn.Linear(3, 2), nn.Linear(3, 2).double()),
        (nn.BatchNorm1d(3), nn.BatchNorm1d(3, eps=0.1)),
        (nn.BatchNorm1d(3), nn.BatchNorm1d(3).eval()),
        (nn.Dropout(0.1), nn.Dropout(0.2)),
        (nn.LeakyReLU(0.1), nn.LeakyReLU(0.2)),
        (nn.ReLU(), nn.Tanh()),
    ):
        assert None not in map(signature_of_step, (one, other))
        assert signature_of_step(one) != signature_of_step(other)
