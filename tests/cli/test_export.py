"""The command ``gmoe export``."""

import pytest

pytest.importorskip('rdkit')
pytest.importorskip('safetensors')

from gmoe import cli
from gmoe.molecules.trained_model import TrainedModel
from tests.fake_hub import fake_hub
from tests.molecules.tiny import SMILES, write_run


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / 'run')


def test_it_says_what_it_wrote(run, tmp_path, capsys):
    cli.run(['export', str(run), str(tmp_path / 'out'), '--license', 'mit'])
    found = capsys.readouterr()
    assert found.out == ''
    assert f'gmoe predict {tmp_path / "out"} new.csv' in found.err
    assert 'licence' not in found.err
    cli.run(['export', str(run), str(tmp_path / 'other')])
    assert 'names no licence' in capsys.readouterr().err


def test_the_hub(run, tmp_path, monkeypatch, capsys):
    pytest.importorskip('huggingface_hub')
    monkeypatch.setenv('HF_TOKEN', 'hf_none')
    with fake_hub(monkeypatch) as hub:
        arguments = [str(run), str(tmp_path / 'out'), '--hub', 'me/net']
        cli.run(['export', *arguments])
        assert f'Uploaded to {hub.address}/me/net' in capsys.readouterr().err
        cache = tmp_path / 'cache'
        again = TrainedModel.load('me/net', cache_dir=cache)
    found, expected = (
        model.predict(SMILES) for model in (again, TrainedModel.load(run))
    )
    assert (found.values == expected.values).all()
    assert (found.intervals == expected.intervals).all()


def test_what_is_refused(run, tmp_path, refused):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'mine').write_text('')
    lines = refused('export', run, tmp_path / 'out')
    assert lines == [
        "gmoe: error: 'folder' must be a folder that does not exist yet, got "
        f"'{tmp_path / 'out'}', which is not overwritten"
    ]
    (line,) = refused('export', tmp_path / 'none', tmp_path / 'new')
    assert "'model' must be a run's folder" in line
    (line,) = refused('export', run)
    assert 'folder' in line
    (line,) = refused('export', run, tmp_path / 'new', '--licence', 'mit')
    assert '--licence' in line
    for name in ('a b', '', 'me/net/', 'https://none/me/net'):
        (line,) = refused('export', run, tmp_path / 'new', f'--hub={name}')
        assert "'hub' must be the name of a repository" in line
        assert f"got '{name}'" in line
    (tmp_path / 'pickled').mkdir()
    (tmp_path / 'pickled' / 'pytorch_model.bin').write_bytes(b'')
    (line,) = refused('export', tmp_path / 'pickled', tmp_path / 'new')
    assert "'model' must be" in line
    assert not (tmp_path / 'new').exists()
    assert (tmp_path / 'out' / 'mine').exists()
