"""Folders of trained networks, and files that claim to be some."""

import json
import pickle

import numpy as np
import pytest
import torch

from gmoe.common.model_folder import (
    MOST_CONFIG_BYTES,
    MOST_TENSORS,
    MOST_WEIGHT_BYTES,
    arguments_of,
    make_module,
    plain,
    read_config,
    read_weights,
    write_config,
    write_weights,
)

pytest.importorskip('safetensors')


class Linear(torch.nn.Module):
    def __init__(self, hidden_channels, num_layers=1):
        super().__init__()
        self.layers = torch.nn.ModuleList(
            torch.nn.Linear(hidden_channels, 2) for _ in range(num_layers)
        )


@pytest.fixture
def folder(tmp_path):
    write_config(tmp_path, {'model': 'Linear', 'arguments': {'a': (1, 2)}})
    state = Linear(3).state_dict()
    write_weights(tmp_path / 'model.safetensors', state)
    return tmp_path


def refuses(message, function, *args):
    with pytest.raises(ValueError, match=message) as caught:
        function(*args)
    assert '\n' not in str(caught.value)


def test_settings_come_back(folder):
    config = read_config(folder)
    assert config['format'] == 1
    assert arguments_of(config, 'Linear', folder) == {'a': [1, 2]}


def test_weights_come_back(tmp_path):
    shared = torch.rand(4, 3)
    tensors = {
        'a': shared,
        'b': shared,  # The same memory.
        'c': shared.t(),
        'half': torch.rand(2).half(),
        'count': torch.tensor(3),
        'none': torch.empty(0, 2),
    }
    write_weights(tmp_path / 'model.safetensors', tensors)
    found = read_weights(tmp_path)
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value)


def test_plain_values():
    given = {'a': (1, np.int64(2)), 'b': {'c': np.float32(0.5)}, 'd': None}
    assert plain(given) == {'a': [1, 2], 'b': {'c': 0.5}, 'd': None}
    refuses(r"'config\.a\[1\]' must be a number", plain, {'a': [1, object()]})


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'is no JSON'),
        ('{', 'is no JSON'),
        ('[' * 100_000, 'is no JSON'),
        ('[]', "no 'format'"),
        ('{}', "no 'format'"),
        ('{"format": "1"}', "no 'format'"),
        ('{"format": 0}', "no 'format'"),
        ('{"format": true}', "no 'format'"),
        (
            '{"format": 2, "gmoe_version": "9.0"}',
            'gmoe 9.0 has written it in format 2, this one reads up to 1: pip',
        ),
        (' ' * (MOST_CONFIG_BYTES + 1), f'{MOST_CONFIG_BYTES + 1} bytes'),
    ],
)
def test_bad_settings_are_refused(folder, text, message):
    (folder / 'config.json').write_text(text)
    refuses(message, read_config, folder)


def test_bytes_are_no_settings(folder):
    (folder / 'config.json').write_bytes(b'\xff\xfe{')
    refuses('is no JSON', read_config, folder)


@pytest.mark.parametrize('is_beside', [True, False])
def test_a_folder_with_a_pickle_is_refused(folder, is_beside):
    class Bad:
        def __reduce__(self):
            return (folder.joinpath('ran').touch, ())

    path = folder / 'pytorch_model.bin'
    path.write_bytes(pickle.dumps(Bad()))
    if not is_beside:
        (folder / 'config.json').unlink()
    refuses("'pytorch_model.bin' is a pickle", read_config, folder)
    path = path.rename(folder / 'Model.PKL')
    refuses("'Model.PKL' is a pickle", read_config, folder)
    path.rename(folder / 'model.safetensors')
    refuses('its model.safetensors is', read_weights, folder)
    assert not (folder / 'ran').exists()


def test_another_class_is_refused(folder):
    config = read_config(folder)
    refuses("it is of 'Linear'", arguments_of, config, 'GNN', folder)
    del config['arguments']
    refuses("no 'arguments'", arguments_of, config, 'Linear', folder)


def test_damaged_weights_are_refused(folder):
    path = folder / 'model.safetensors'
    whole = path.read_bytes()
    for length in (0, 4, 20, len(whole) - 1):
        path.write_bytes(whole[:length])
        refuses('is damaged, or is no safetensors', read_weights, folder)
    path.write_bytes(b'\xff' * 8 + whole[8:])  # A header of 2 ** 64 bytes.
    refuses('is damaged, or is no safetensors', read_weights, folder)


def test_large_weights_are_refused(folder):
    with (folder / 'model.safetensors').open('ab') as file:
        file.truncate(MOST_WEIGHT_BYTES + 1)  # Takes no room on the disk.
    refuses(f'{MOST_WEIGHT_BYTES + 1} bytes', read_weights, folder)


def test_many_tensors_are_refused(folder):
    tensors = {str(i): torch.zeros(0) for i in range(MOST_TENSORS + 1)}
    write_weights(folder / 'model.safetensors', tensors)
    refuses(f'{MOST_TENSORS + 1} tensors', read_weights, folder)


def test_modules_are_made(folder):
    weights = read_weights(folder)
    made = make_module(Linear, {'hidden_channels': 3}, weights, folder)
    assert torch.equal(made.layers[0].weight, weights['layers.0.weight'])
    doubled = {name: value.double() for name, value in weights.items()}
    made = make_module(Linear, {'hidden_channels': 3}, doubled, folder)
    assert made.layers[0].weight.dtype == torch.double


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'hidden_channels': 4}, r"'layers.0.weight' with shape \[2, 3\]"),
        ({'hidden_channels': 10**12}, "'hidden_channels' is 1000000000000"),
        ({'hidden_channels': 3, 'num_layers': 10**9}, "'num_layers' is 10000"),
        ({'hidden_channels': 3, 'num_layers': 2}, "'layers.1.weight' with"),
        ({'hidden_channels': 3, 'depth': 2}, "unexpected keyword .*'depth'"),
        ({'hidden_channels': 'x'}, 'are none of this version'),
    ],
)
def test_modules_of_other_weights_are_not_made(folder, arguments, message):
    weights = read_weights(folder)
    refuses(message, make_module, Linear, arguments, weights, folder)


def test_nothing_is_half_written(folder, monkeypatch):
    before = (folder / 'config.json').read_text()
    refuses('must be a number', write_config, folder, {'a': object()})
    assert (folder / 'config.json').read_text() == before
    assert json.loads(before)['model'] == 'Linear'
