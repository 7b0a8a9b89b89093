"""Runs and ensembles as folders that are given to others."""

import pickle

import pytest
import torch

pytest.importorskip('rdkit')
pytest.importorskip('safetensors')

from gmoe.molecules.export import export_run
from gmoe.molecules.trained_model import TrainedModel
from tests.molecules.tiny import BINARY, SMILES, write_checkpoint, write_run
from tests.molecules.tiny import make_predictor as make


def same(first, second, names=('values', 'intervals', 'sets', 'similarity')):
    for name in names:
        a, b = getattr(first, name), getattr(second, name)
        assert (a is None and b is None) or (a == b).all(), name


def test_a_run(tmp_path):
    run = write_run(tmp_path / 'run')
    folder = export_run(
        run, tmp_path / 'out', license='mit', data='delaney.csv'
    )
    names = {path.name for path in folder.iterdir()}
    assert names == {
        'README.md',
        'calibration.safetensors',
        'config.json',
        'model.safetensors',
    }
    first, second = TrainedModel.load(run), TrainedModel.load(folder)
    same(first.predict(SMILES), second.predict(SMILES))
    assert second.info == first.info
    card = (folder / 'README.md').read_text()
    for part in ('# solubility', 'license: "mit"', 'delaney.csv', '| RMSE (v'):
        assert part in card, part


def test_an_ensemble(tmp_path):
    for i in range(3):
        write_run(tmp_path / 'run' / f'member_{i}', BINARY, seed=i)
    folder = export_run(tmp_path / 'run', tmp_path / 'out')
    names = {path.name for path in folder.iterdir()}
    assert names == {'README.md', 'member_0', 'member_1', 'member_2'}
    found, expected = (
        TrainedModel.load(path).predict(SMILES)
        for path in (folder, tmp_path / 'run')
    )
    same(found, expected)
    assert (found.spread == expected.spread).all()
    assert '3 networks' in (folder / 'README.md').read_text()


@pytest.mark.parametrize('name', ['best', 'last'])
def test_a_checkpoint_and_what_a_run_lacks(tmp_path, name):
    path = tmp_path / 'run' / 'checkpoints' / f'{name}.ckpt'
    write_checkpoint(path, make(), two_hop='released')
    for i, source in enumerate((path, tmp_path / 'run')):
        folder = export_run(source, tmp_path / str(i))
        assert not (folder / 'calibration.safetensors').exists()
        assert TrainedModel.load(folder)._members[0].two_hop == 'released'
        assert 'Scores are not stated' in (folder / 'README.md').read_text()


def test_a_network_of_ogb(tmp_path):
    path = tmp_path / 'run' / 'checkpoints' / 'best.ckpt'
    predictor = make(dataset='ogbg-molesol')
    write_checkpoint(path, predictor, info=None)
    again = TrainedModel.load(export_run(path, tmp_path / 'out'))
    assert again.is_ogb
    assert again.info.targets == ('molesol',)


def test_what_is_refused(tmp_path):
    run = write_run(tmp_path / 'run')
    folder = export_run(run, tmp_path / 'out')
    with pytest.raises(ValueError, match='which is an exported folder alread'):
        export_run(folder, tmp_path / 'again')
    with pytest.raises(ValueError, match="'folder' .* which is not overwrit"):
        export_run(run, folder)
    with pytest.raises(ValueError, match="'model' must be"):
        export_run(tmp_path / 'none', tmp_path / 'again')
    assert not (tmp_path / 'again').exists()


def test_a_pickle_is_never_loaded(tmp_path):
    class Bad:
        def __reduce__(self):
            return (tmp_path.joinpath('ran').touch, ())

    (tmp_path / 'model').mkdir()
    (tmp_path / 'model' / 'model.pkl').write_bytes(pickle.dumps(Bad()))
    torch.save(Bad(), tmp_path / 'model' / 'pytorch_model.bin')
    for name in ('', 'model.pkl', 'pytorch_model.bin'):
        with pytest.raises(ValueError, match="' must be "):
            TrainedModel.load(tmp_path / 'model' / name)
    assert not (tmp_path / 'ran').exists()
