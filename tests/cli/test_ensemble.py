"""Ensembles: several seeds or folds below one folder."""

import os
import shutil
import sys
from pathlib import Path

import pytest
import torch

from gmoe import cli
from gmoe.cli import packaged
from gmoe.cli.ensemble import fit_ensemble, member_arguments
from gmoe.cli.options import given
from tests.training import tiny


@pytest.fixture
def arguments(tmp_path):
    config = tiny.write_config(tmp_path)
    return ['fit', f'--config={config}', '--ensemble', '2']


def fake_fit(calls, stop_at=None, is_refused=False):
    """Leaves a run's folder, and may be stopped in one of its epochs."""

    def fit(arguments):
        calls.append(arguments)
        run = Path(given(arguments, '--run_dir')) / 'version_0'
        if len(calls) == stop_at and is_refused:
            raise ValueError('refused')
        checkpoint = run / 'checkpoints' / 'last.ckpt'
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.write_text(str(len(calls)))
        if len(calls) == stop_at:
            raise KeyboardInterrupt

    return fit


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_seeds():
    members = member_arguments(['fit', '--seed_everything=7', '--x=1'], '3')
    assert members == [
        ['fit', '--x=1', f'--seed_everything={seed}'] for seed in (7, 8, 9)
    ]


def test_folds():
    line = ['fit', '--data.folds', '3', '--x=1']
    assert member_arguments(line, 'folds') == [
        [
            'fit',
            '--x=1',
            '--data.folds=3',
            f'--data.fold={fold}',
            f'--seed_everything={fold}',
        ]
        for fold in range(3)
    ]
    assert len(member_arguments(['fit'], 'folds')) == 5


def test_seed_of_the_configuration(arguments):
    first, second = member_arguments(arguments[:2], '2')
    assert first[-1] == '--seed_everything=5'
    assert second[-1] == '--seed_everything=6'


def test_a_later_configuration_says_more(arguments, tmp_path):
    other = tmp_path / 'other.yaml'
    other.write_text('trainer: {max_epochs: 1}\n')
    folder = fit_ensemble([*arguments, f'-c={other}'], fake_fit([]))
    assert folder == tmp_path / 'runs' / 'version_0'


def test_members_below_one_folder(arguments, tmp_path, capsys):
    calls = []
    folder = fit_ensemble(arguments, fake_fit(calls))
    assert folder == tmp_path / 'runs' / 'version_0'
    assert names(folder) == ['ensemble.json', 'member_0', 'member_1']
    assert names(folder / 'member_1') == ['checkpoints']
    assert f'gmoe predict {folder} new.csv' in capsys.readouterr().out
    again = fit_ensemble(arguments, fake_fit([]))
    assert again.name == 'version_1'


def test_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = ['fit', 'data/my table.csv.gz', '--ensemble=2']
    calls = []
    assert fit_ensemble(line, fake_fit(calls)).parent == Path('runs/my_table')
    assert given(calls[0], '--data.path') == line[1]
    assert given(calls[0], '--config').endswith('csv.yaml')


def test_goes_on(arguments):
    calls = []
    with pytest.raises(KeyboardInterrupt):
        fit_ensemble(arguments, fake_fit(calls, stop_at=2))
    last = [*arguments, '--ckpt_path=last']
    folder = fit_ensemble(last, fake_fit(calls))
    assert names(folder) == ['ensemble.json', 'member_0', 'member_1']
    # The first member is not trained again, and the second one goes on.
    assert len(calls) == 3
    assert calls[2] == [*calls[1], '--ckpt_path=last']
    assert (folder / 'member_0' / 'checkpoints' / 'last.ckpt').read_text() == (
        '1'
    )
    fit_ensemble(last, fake_fit(calls))
    assert len(calls) == 3


def test_goes_on_where_gmoe_has_moved(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls = []
    arguments = ['fit', 'my.csv', '--ensemble', '2']
    folder = fit_ensemble(arguments, fake_fit(calls))
    assert str(packaged.FOLDER) not in (folder / 'ensemble.json').read_text()
    moved = shutil.copytree(packaged.FOLDER, tmp_path / 'moved')
    monkeypatch.setattr(packaged, 'FOLDER', moved)
    fit_ensemble([*arguments, '--ckpt_path=last'], fake_fit(calls))
    assert len(calls) == 2


def test_nothing_is_left_of_what_is_refused(arguments, tmp_path):
    with pytest.raises(ValueError, match='refused'):
        fit_ensemble(arguments, fake_fit([], 1, is_refused=True))
    assert not (tmp_path / 'runs').exists()
    with pytest.raises(ValueError, match='refused'):
        fit_ensemble(arguments, fake_fit([], 2, is_refused=True))
    assert names(tmp_path / 'runs' / 'version_0') == [
        'ensemble.json',
        'member_0',
    ]


def test_what_is_refused(arguments, monkeypatch):
    def refuse(match, *changed):
        with pytest.raises((ValueError, FileNotFoundError), match=match):
            fit_ensemble([*arguments, *changed], fake_fit([]))

    for value in ('1', '0', '-2', 'x', '', '1001', '2.5'):
        refuse("'ensemble' must be", f'--ensemble={value}')
    refuse("'data.fold' must be", '--ensemble=folds', '--data.fold=1')
    refuse("'data.fold' must be", '--ensemble=folds', '--data.folds=x')
    refuse('no ensemble below', '--ckpt_path=last')
    refuse("'ckpt_path' must be 'last'", '--ckpt_path=best')
    folder = fit_ensemble(arguments, fake_fit([]))
    refuse('those that the ensemble', '--ckpt_path=last', '--x=1')
    refuse('those that the ensemble', '--ckpt_path=last', '--ensemble=3')
    (folder / 'ensemble.json').write_text('[]')
    refuse('must be what', '--ckpt_path=last')
    monkeypatch.setitem(os.environ, 'WORLD_SIZE', '2')
    refuse("'ensemble' must be left out")


def test_command(arguments, monkeypatch, capsys):
    """A member that was stopped is in the end as if it had not been."""
    monkeypatch.setattr(sys, 'argv', ['gmoe', *arguments])
    short = [*arguments, '--trainer.max_epochs=2']

    def fit(line):
        is_second = 'training_1' in line[-1]
        cli.run([*line, '--trainer.max_epochs=1'] if is_second else line)
        if is_second:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_ensemble(short, fit)
    cli.run([*short, '--ckpt_path=last'])
    captured = capsys.readouterr()
    assert 'member_0 is trained already' in captured.err
    folder = Path(captured.out.split('gmoe predict ')[1].split()[0])
    config = given(arguments, '--config')
    alone = ['fit', f'--config={config}', '--trainer.max_epochs=2']
    cli.run([*alone, '--seed_everything=6'])
    expected, found = (
        torch.load(path / 'checkpoints' / 'last.ckpt', weights_only=True)
        for path in (folder.parent / 'version_1', folder / 'member_1')
    )
    for name, value in expected['state_dict'].items():
        assert torch.equal(value, found['state_dict'][name]), name
