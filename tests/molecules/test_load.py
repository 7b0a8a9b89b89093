"""Where a trained network is, and what is refused."""

import pickle
import warnings
from dataclasses import replace

import pytest
import torch

from gmoe.common.model_card import ModelCard
from gmoe.molecules.exported import CALIBRATION, new_folder, write_exported
from gmoe.molecules.load import load_members
from gmoe.molecules.member import Member
from gmoe.molecules.trained_model import TrainedModel
from tests.molecules import tiny
from tests.training import tiny as graphs


def weights(member):
    return member.predictor.state_dict()


def test_run_and_checkpoint(tmp_path):
    run = tiny.write_run(tmp_path / 'version_0', two_hop='released')
    best = run / 'checkpoints' / 'best.ckpt'
    for source in (run, best, str(best), tmp_path):
        _, (member,) = load_members(source)
        assert member.info == tiny.REGRESSION
        assert member.two_hop == 'released'
        assert member.calibration == run / CALIBRATION
        assert not member.is_ogb
        assert not member.predictor.training
        expected = tiny.make_predictor().state_dict()
        for name, value in weights(member).items():
            assert torch.equal(value, expected[name])


def test_the_newest_finished_version(tmp_path):
    for number in (0, 9, 10):
        tiny.write_run(tmp_path / f'version_{number}', seed=number)
    (tmp_path / 'version_11').mkdir()
    path, _ = load_members(tmp_path)
    assert path.name == 'version_10'


def test_calibration_is_of_the_best_epoch(tmp_path):
    run = tiny.write_run(tmp_path / 'run')
    last = run / 'checkpoints' / 'last.ckpt'
    tiny.write_checkpoint(last, tiny.make_predictor())
    assert load_members(last)[1][0].calibration is None
    (run / 'checkpoints' / 'best.ckpt').unlink()
    assert load_members(run)[1][0].calibration is None


def test_ensemble(tmp_path):
    for i in range(11):
        tiny.write_run(tmp_path / f'member_{i}', seed=i)
    _, members = load_members(tmp_path)
    firsts = [next(iter(weights(member).values())) for member in members]
    for i, first in enumerate(firsts):
        state = tiny.make_predictor(seed=i).state_dict()
        assert torch.equal(first, next(iter(state.values())))
    (tmp_path / 'member_3').rename(tmp_path / 'other')
    with pytest.raises(ValueError, match='one of them is missing'):
        load_members(tmp_path)


def test_members_of_another_task(tmp_path):
    tiny.write_run(tmp_path / 'member_0')
    tiny.write_run(tmp_path / 'member_1', tiny.BINARY)
    with pytest.raises(ValueError, match='it predicts toxic'):
        load_members(tmp_path)


def test_ogb(tmp_path):
    path = tmp_path / 'best.ckpt'
    predictor = tiny.make_predictor(dataset='ogbg-molesol')
    tiny.write_checkpoint(path, predictor, None)
    _, (member,) = load_members(path)
    assert member.is_ogb
    assert member.info.targets == ('molesol',)
    assert member.info.features is None


def test_ogb_with_features(tmp_path):
    path = tmp_path / 'best.ckpt'
    predictor = tiny.make_predictor(dataset='ogbg-molesol', graph_dims=2048)
    settings = {'data': {'init_args': {'features': ['counts']}}}
    callbacks = {'RunSettings': settings}
    tiny.write_checkpoint(path, predictor, None, callbacks=callbacks)
    _, (member,) = load_members(path)
    assert member.info.features['kinds'] == ['counts']
    tiny.write_checkpoint(path, predictor, None)
    with pytest.raises(ValueError, match='does not say which features'):
        load_members(path)


@pytest.mark.parametrize(
    'features',
    [
        {},
        {'kinds': ['none'], 'descriptors': [], 'rdkit': '1'},
        {'kinds': ['descriptors'], 'descriptors': ['none'], 'rdkit': '1'},
        {'kinds': [], 'descriptors': [], 'rdkit': '1', 'columns': 3},
    ],
)
def test_features_that_are_none(features, tmp_path):
    info = replace(tiny.REGRESSION, features=features)
    path = tmp_path / 'best.ckpt'
    tiny.write_checkpoint(path, tiny.make_predictor(), info)
    with pytest.raises(ValueError, match="^'model' must be .* 'features' of"):
        load_members(path)
    with new_folder(tmp_path / 'out') as partial:
        member = Member(tiny.make_predictor(), info)
        write_exported(partial, member, ModelCard('a', 'b', 'c'))
    with pytest.raises(ValueError, match="^'model' must be .* 'features' of"):
        load_members(tmp_path / 'out')


def test_a_network_for_other_molecules(tmp_path):
    path = tmp_path / 'best.ckpt'
    tiny.write_checkpoint(path, tiny.make_predictor(), tiny.SEVERAL)
    with pytest.raises(ValueError, match="^'model' must be .* outputs, and"):
        load_members(path)


def test_another_version_of_rdkit_is_told_once(tmp_path):
    old = {'kinds': ['counts'], 'descriptors': [], 'rdkit': '2000.1'}
    info = replace(tiny.REGRESSION, features=old)
    predictor = tiny.make_predictor(graph_dims=2048)
    tiny.write_checkpoint(tmp_path / 'best.ckpt', predictor, info)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        model = TrainedModel.load(tmp_path / 'best.ckpt')
    with pytest.warns(UserWarning, match='RDKit .2000') as told:
        model.predict(['CCO'])
    assert len(told) == 1


class Evil:
    def __reduce__(self):
        return print, ('this must not be printed',)


@pytest.mark.parametrize('kind', ['checkpoint', 'folder', 'run'])
def test_a_pickle_is_not_read(kind, tmp_path, capsys):
    path = tmp_path / 'x.ckpt'
    if kind == 'checkpoint':
        torch.save({'state_dict': Evil()}, path)
    elif kind == 'folder':
        (tmp_path / 'pytorch_model.bin').write_bytes(pickle.dumps(Evil()))
        path = tmp_path
    else:
        path = tiny.write_run(tmp_path / 'run')
        torch.save(Evil(), path / 'checkpoints' / 'best.ckpt')
    with pytest.raises(ValueError, match='must be a'):
        load_members(path)
    assert 'must not' not in capsys.readouterr().out


def test_other_networks(tmp_path):
    path = tmp_path / 'best.ckpt'
    model = graphs.make_model()
    tiny.write_checkpoint(path, model, None)
    with pytest.raises(ValueError, match='graphs that are no molecules'):
        load_members(path)
    predictor = tiny.make_predictor()
    hyper = {'_class_path': 'gmoe.training.TriplePredictor', 'x': 1}
    tiny.write_checkpoint(path, predictor, hyper_parameters=hyper)
    with pytest.raises(ValueError, match='gmoe.training.TriplePredictor'):
        load_members(path)
    hyper = {**predictor.hparams, 'none_such': 1}
    tiny.write_checkpoint(path, predictor, hyper_parameters=hyper)
    with pytest.raises(ValueError, match='none of this version'):
        load_members(path)
    settings = tiny.REGRESSION.to_dict()
    for info in ({'x': 1}, {**settings, 'x': 1}, {**settings, 'classes': 3}):
        tiny.write_checkpoint(path, predictor, None, molecules={'info': info})
        with pytest.raises(ValueError, match='of its molecules'):
            load_members(path)


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('hidden_channels', 10**12),
        ('hidden_channels', 2**17),
        ('num_layers', 10**9),
        ('node_dims', [10**9] * 9),
    ],
)
def test_settings_of_a_giant(name, value, tmp_path, monkeypatch):
    path = tmp_path / 'best.ckpt'
    predictor = tiny.make_predictor()
    hyper = {**predictor.hparams, name: value}
    tiny.write_checkpoint(path, predictor, hyper_parameters=hyper)
    made = []
    make = torch.nn.Linear.__init__

    def spy(self, *args, **kwargs):
        make(self, *args, **kwargs)
        made.append(self.weight.device.type)

    monkeypatch.setattr(torch.nn.Linear, '__init__', spy)
    with pytest.raises(ValueError, match='must be a checkpoint'):
        load_members(path)
    assert 'cpu' not in made


def test_what_is_no_network(tmp_path):
    (tmp_path / 'empty').write_bytes(b'')
    (tmp_path / 'folder').mkdir()
    for source, match in (
        ('', 'there is no such'),
        ('nothing.ckpt', 'there is no such'),
        (tmp_path / 'none' / 'such' / 'run', 'there is no such'),
        (tmp_path / 'empty', 'it is empty'),
        (tmp_path / 'folder', 'but nothing'),
        ('user/none', 'there is no such folder, and the hub'),
    ):
        with pytest.raises(ValueError, match=match):
            load_members(source)
