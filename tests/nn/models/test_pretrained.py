"""Networks that are saved, and shared on a hub that this machine plays."""

import copy
import json
import pickle
import subprocess
import sys

import pytest
import torch
from torch import nn

from gmoe.nn import GNN, TripleGNN
from tests.fake_hub import fake_hub
from tests.nn.models import test_gnn, test_triple_gnn

pytest.importorskip('safetensors')

ARGUMENTS = {
    'hidden_channels': 6,
    'num_layers': 2,
    'num_experts': 4,
    'num_experts_1hop': 2,
    'top_k': 2,
}


def equal(a, b):
    state, found = a.state_dict(), b.state_dict()
    return state.keys() == found.keys() and all(
        torch.equal(state[name], found[name]) for name in state
    )


def edit(folder, **changes):
    """Changes the arguments in a folder; None leaves one out."""
    path = folder / 'config.json'
    config = json.loads(path.read_text())
    arguments = {**config['arguments'], **changes}
    config['arguments'] = {
        name: value for name, value in arguments.items() if value != 'OUT'
    }
    path.write_text(json.dumps(config))


@pytest.mark.parametrize('kwargs', test_gnn.VARIANTS)
def test_gnn_comes_back(tmp_path, kwargs):
    gnn = test_gnn.make_gnn(**kwargs).eval()
    gnn.save_pretrained(tmp_path / 'a' / 'b')
    again = GNN.from_pretrained(tmp_path / 'a' / 'b')
    assert not again.training
    for data in test_gnn.molecules():
        assert torch.equal(
            test_gnn.call(again, data), test_gnn.call(gnn, data)
        )
    names = {path.name for path in (tmp_path / 'a' / 'b').iterdir()}
    assert names == {'config.json', 'model.safetensors', 'README.md'}


def test_triple_gnn_comes_back(tmp_path):
    network = test_triple_gnn.make(readout=('root',)).eval()
    network.save_pretrained(tmp_path)
    again = TripleGNN.from_pretrained(str(tmp_path))
    assert equal(network, again)
    with pytest.raises(ValueError, match="it is of 'TripleGNN', and not of"):
        GNN.from_pretrained(tmp_path)


def test_a_network_of_ones_own_comes_back(tmp_path):
    class Own(GNN):
        def __init__(self, width, *, depth=2, **kwargs):
            super().__init__(1, width, depth, **kwargs)
            self.extra = nn.Linear(width, 1)

    network = Own(5, dropout=0.25)
    network.save_pretrained(tmp_path)
    again = Own.from_pretrained(tmp_path)
    assert equal(network, again)
    assert again.dropout == 0.25
    assert again.num_layers == 2


def test_copies_are_saved_like_their_original(tmp_path):
    gnn = GNN(**ARGUMENTS)
    for i, twin in enumerate(
        (copy.deepcopy(gnn), pickle.loads(pickle.dumps(gnn)))
    ):
        twin.save_pretrained(tmp_path / str(i))
        assert equal(GNN.from_pretrained(tmp_path / str(i)), gnn)


def test_arguments_are_replaced_on_demand(tmp_path):
    GNN(**ARGUMENTS).save_pretrained(tmp_path)
    assert GNN.from_pretrained(tmp_path, dropout=0.1).dropout == 0.1
    with pytest.raises(ValueError, match="'hidden_channels' is 7|shape"):
        GNN.from_pretrained(tmp_path, hidden_channels=7)


def test_a_folder_of_an_older_version_is_read(tmp_path):
    """It lacks arguments that came later, all of which have defaults."""
    gnn = GNN(**ARGUMENTS)
    gnn.save_pretrained(tmp_path)
    given = {**ARGUMENTS, 'conv': 'gcn'}
    config = {'format': 1, 'model': 'GNN', 'arguments': given}
    (tmp_path / 'config.json').write_text(json.dumps(config))
    assert equal(GNN.from_pretrained(tmp_path), gnn)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'depth': 3}, "unexpected keyword argument 'depth'"),
        ({'conv': 'gat'}, "'conv' must be .* got 'gat'"),
        ({'hidden_channels': 7}, r'with shape .* of its config.json has \['),
        ({'hidden_channels': 10**15}, "'hidden_channels' is 10000"),
        ({'num_layers': 10**9}, "'num_layers' is 1000000000"),
        ({'node_dims': [10**5] * 9}, 'with shape'),
        ({'num_head_layers': 2}, r"'head.0.weight' with shape None"),
        ({'hidden_channels': None}, "'hidden_channels' must be an integer"),
        ({'node_dims': {'a': 1}}, 'are none of this version'),
    ],
)
def test_other_arguments_are_refused(tmp_path, changes, message):
    GNN(**ARGUMENTS).save_pretrained(tmp_path)
    edit(tmp_path, **changes)
    with pytest.raises(ValueError, match=message):
        GNN.from_pretrained(tmp_path)


def test_what_its_arguments_do_not_make_is_not_saved(tmp_path):
    gnn = GNN(**ARGUMENTS)
    gnn.head = nn.Linear(6, 3)
    with pytest.raises(ValueError, match="another 'head.bias': save its"):
        gnn.save_pretrained(tmp_path / 'new')
    with pytest.raises(ValueError, match="another 'head.bias': save its"):
        gnn.push_to_hub('me/net')
    assert not (tmp_path / 'new').exists()


def test_bad_arguments_of_methods(tmp_path):
    gnn = GNN(**ARGUMENTS)
    with pytest.raises(ValueError, match="'config' must be left out"):
        gnn.save_pretrained(tmp_path, config={'a': 1})
    with pytest.raises(ValueError, match="keys among .* got 'licence'"):
        gnn.save_pretrained(tmp_path, model_card_kwargs={'licence': 'mit'})
    (tmp_path / 'file').write_text('')
    with pytest.raises(ValueError, match="'save_directory' must be a folder"):
        gnn.save_pretrained(tmp_path / 'file')
    assert [path.name for path in tmp_path.iterdir()] == ['file']


def test_the_card_is_kept(tmp_path):
    gnn = GNN(**ARGUMENTS)
    card = {'data': 'molesol', 'split': 'scaffold', 'scores': {'RMSE': 0.8}}
    gnn.save_pretrained(tmp_path, model_card_kwargs={**card, 'license': 'mit'})
    text = (tmp_path / 'README.md').read_text()
    for part in ('molesol', 'scaffold', '| RMSE | 0.8 |', 'license: "mit"'):
        assert part in text
    gnn.save_pretrained(tmp_path)  # Somebody may have written on it.
    assert (tmp_path / 'README.md').read_text() == text


def test_the_hub(tmp_path, monkeypatch):
    pytest.importorskip('huggingface_hub')
    gnn = GNN(**ARGUMENTS)
    with fake_hub(monkeypatch) as hub:
        card = {'license': 'mit'}
        gnn.push_to_hub('me/net', token='hf_no', model_card_kwargs=card)
        files = hub.repositories['me/net']
        again = GNN.from_pretrained('me/net', cache_dir=tmp_path)
        files['pytorch_model.bin'] = files.pop('model.safetensors')
        with pytest.raises(ValueError, match='there is no model.safetensors'):
            GNN.from_pretrained('me/net', cache_dir=tmp_path / 'other')
    assert equal(again, gnn)
    assert b'license: "mit"' in files['README.md']
    assert set(hub.fetched) == {'config.json', 'model.safetensors'}


def test_the_hub_is_optional(tmp_path):
    code = (
        'import sys\n'
        "sys.modules['huggingface_hub'] = None\n"
        'from gmoe.nn import GNN\n'
        f'folder = {str(tmp_path)!r}\n'
        'GNN(hidden_channels=4).save_pretrained(folder)\n'
        'GNN.from_pretrained(folder)\n'
        'for call in (GNN.from_pretrained, GNN(1, 4).push_to_hub):\n'
        '    try:\n'
        "        call('me/net')\n"
        '    except ImportError as error:\n'
        "        assert 'gmoe[mol]' in str(error), error\n"
        '    else:\n'
        '        raise AssertionError\n'
    )
    subprocess.run([sys.executable, '-c', code], check=True)
