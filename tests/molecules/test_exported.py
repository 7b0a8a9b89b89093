"""Exported folders: what comes back, and what is refused."""

import json
import pickle

import pytest
import torch

from gmoe.common.model_card import ModelCard
from gmoe.datasets.molecules.info import MoleculeInfo
from gmoe.molecules.exported import (
    CALIBRATION,
    new_folder,
    read_exported,
    write_exported,
)
from gmoe.molecules.member import Member
from gmoe.training import GraphPredictor

pytest.importorskip('safetensors')

CARD = ModelCard('a network', 'Predicts.', 'x = 1')
INFO = MoleculeInfo(('logS', 'logP'), 'regression', None)


def make(**kwargs):
    torch.manual_seed(0)
    arguments = {
        'dataset': 'mine',
        'task_type': 'regression',
        'metric': 'rmse',
        'out_channels': 2,
        'hidden_channels': 6,
        'num_layers': 2,
        **kwargs,
    }
    return GraphPredictor(**arguments).eval()


def export(folder, **kwargs):
    with new_folder(folder) as partial:
        write_exported(partial, Member(make(), INFO, **kwargs), CARD)


def change(folder, **changes):
    path = folder / 'config.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_it_comes_back(tmp_path):
    calibration = tmp_path / 'calibration'
    calibration.write_bytes(b'of the run')
    export(
        tmp_path / 'a' / 'b',
        two_hop='released',
        is_ogb=True,
        calibration=calibration,
        training={'data': 'delaney.csv', 'rows': 5},
    )
    found = read_exported(tmp_path / 'a' / 'b')
    state, again = make().state_dict(), found.predictor.state_dict()
    assert state.keys() == again.keys()
    assert all(torch.equal(state[name], again[name]) for name in state)
    assert found.predictor.hparams['metric'] == 'rmse'
    assert not found.predictor.training
    assert found.info == INFO
    assert (found.two_hop, found.is_ogb) == ('released', True)
    assert found.training == {'data': 'delaney.csv', 'rows': 5}
    assert found.calibration == tmp_path / 'a' / 'b' / CALIBRATION
    assert found.calibration.read_bytes() == b'of the run'
    assert (tmp_path / 'a' / 'b' / 'README.md').read_text() == str(CARD)


def test_nothing_in_it_is_a_pickle(tmp_path):
    export(tmp_path / 'out')
    for path in (tmp_path / 'out').iterdir():
        assert path.suffix in ('.json', '.md', '.safetensors')
        with pytest.raises((pickle.UnpicklingError, ValueError, KeyError)):
            pickle.loads(path.read_bytes())


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'model': 'GNN'}, "it is of 'GNN', and not of 'GraphPredictor'"),
        ({'format': 99}, 'in format 99, this one reads up to 1'),
        ({'molecules': None}, 'of the molecules in its config.json'),
        (
            {'molecules': {**INFO.to_dict(), 'featurization': 'ogb-2'}},
            "'featurization' must be .* got 'ogb-2'",
        ),
        ({'molecules': {**INFO.to_dict(), 'more': 1}}, "got 'more', as of"),
        (
            {'molecules': {**INFO.to_dict(), 'targets': ['logS']}},
            'its network is for regression with 2 outputs, and its molecules '
            'for regression with 1',
        ),
        (
            {
                'molecules': {
                    **INFO.to_dict(),
                    'task_type': 'binary classification',
                    'classes': ['no', 'yes'],
                }
            },
            'its molecules for binary classification with 2',
        ),
        ({'two_hop': 'all'}, "'two_hop' in its config.json must be of"),
        ({'arguments': {'dataset': 'x', 'depth': 3}}, 'none of this version'),
        (
            {'arguments': {**make().hparams, 'num_layers': 10**9}},
            "'num_layers' is 1000000000",
        ),
    ],
)
def test_others_are_refused(tmp_path, changes, message):
    export(tmp_path / 'out')
    change(tmp_path / 'out', **changes)
    with pytest.raises(ValueError, match=message) as caught:
        read_exported(tmp_path / 'out')
    assert "'model' must be a folder" in str(caught.value)


def test_a_folder_of_an_older_version_is_read(tmp_path):
    """It lacks what came later, all of which has a default."""
    export(tmp_path / 'out')
    path = tmp_path / 'out' / 'config.json'
    config = json.loads(path.read_text())
    known = ('dataset', 'task_type', 'metric', 'out_channels')
    known += ('hidden_channels', 'num_layers')
    arguments = {name: config['arguments'][name] for name in known}
    old = {name: config[name] for name in ('format', 'model', 'molecules')}
    path.write_text(json.dumps({**old, 'arguments': arguments}))
    found = read_exported(tmp_path / 'out')
    assert (found.two_hop, found.is_ogb) == ('exact', False)


def test_nothing_is_overwritten(tmp_path):
    export(tmp_path / 'out')
    (tmp_path / 'file').write_text('mine')
    (tmp_path / 'link').symlink_to(tmp_path / 'none')
    for name in ('out', 'file', 'link'):
        with pytest.raises(ValueError, match='which is not overwritten'):
            export(tmp_path / name)
    assert (tmp_path / 'file').read_text() == 'mine'
    (tmp_path / 'empty').mkdir()
    export(tmp_path / 'empty')
    read_exported(tmp_path / 'empty')


def test_nothing_is_left_of_a_failure(tmp_path):
    def fail(error):
        with new_folder(tmp_path / 'a' / 'b') as partial:
            (partial / 'file').write_text('')
            raise error

    with pytest.raises(KeyError):
        fail(KeyError())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="'folder' must be .*written: No sp"):
        fail(OSError(28, 'No space left on device'))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ValueError, match='cannot be written: File exists'):
        export(tmp_path / 'file' / 'out')


def test_two_writers_do_not_mix(tmp_path):
    def write():
        with new_folder(tmp_path / 'out') as partial:
            (partial / 'mine').write_text('')
            export(tmp_path / 'out')  # Another one was quicker.

    with pytest.raises(ValueError, match='cannot be written: Directory not'):
        write()
    assert not (tmp_path / 'out' / 'mine').exists()
    read_exported(tmp_path / 'out')
    assert [path.name for path in tmp_path.iterdir()] == ['out']
