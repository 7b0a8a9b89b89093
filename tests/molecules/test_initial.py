"""What a training can begin with."""

import pytest
import torch

from gmoe.molecules.initial import initial_network
from gmoe.nn import GNN
from gmoe.training import GraphPredictor
from tests.molecules.test_pretrain_gnns import made


def assert_same(a, b):
    for name, value in a.state_dict().items():
        assert torch.equal(value, b.state_dict()[name])


def test_sources(tmp_path):
    gnn = GNN(hidden_channels=4, num_layers=2)
    gnn.save_pretrained(tmp_path / 'gnn')
    assert_same(gnn, initial_network(tmp_path / 'gnn'))
    torch.save(made(2), tmp_path / 'gcn.pth')
    network = initial_network(str(tmp_path / 'gcn.pth'))
    assert network.hidden_channels == 4


def save_nan(path):
    gnn = GNN(hidden_channels=4, num_layers=1)
    with torch.no_grad():
        gnn.convs[0].root.fill_(torch.nan)
    gnn.save_pretrained(path)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (
            lambda path: GNN(
                hidden_channels=4, num_layers=1, num_experts=2, top_k=1
            ).save_pretrained(path),
            'without mixtures, got .* with 2 experts',
        ),
        (lambda path: path.mkdir(), 'it has neither checkpoints/best.ckpt'),
        (
            lambda path: path.write_bytes(b'pickle'),
            "^'init_from' must be .* is no archive of PyTorch",
        ),
        (save_nan, "weights are finite, got .* with others in 'convs.0.root'"),
    ],
)
def test_refused(make, message, tmp_path):
    make(tmp_path / 'source')
    with pytest.raises(ValueError, match=message):
        initial_network(tmp_path / 'source')


def test_ensemble(tmp_path, monkeypatch):
    from gmoe.molecules import initial

    member = type('', (), {'predictor': GraphPredictor})()
    monkeypatch.setattr(
        initial, 'load_members', lambda path: (path, [member] * 2)
    )
    with pytest.raises(ValueError, match="'init_from' must be a single netw"):
        initial_network(tmp_path)
