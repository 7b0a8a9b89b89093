"""Configurations of the package by name, and a table in place of one."""

import os
from pathlib import Path

import pytest
import yaml

from gmoe.cli.packaged import FOLDER, expanded

ROOT = Path(__file__).parents[2]
CSV = str(FOLDER / 'csv.yaml')


@pytest.mark.parametrize(
    ('given', 'written'),
    [
        (
            ['fit', 'my.csv'],
            ['fit', '--config', CSV, '--data.path', 'my.csv']
            + ['--run_dir', 'runs/my'],
        ),
        (
            ['fit', '/a/b c.csv.gz', '--run_dir=x', '--data.task', 'binary'],
            ['fit', '--config', CSV, '--run_dir=x', '--data.task', 'binary']
            + ['--data.path', '/a/b c.csv.gz'],
        ),
        (
            ['fit', 'my.csv', '--config', 'molecules/csv'],
            ['fit', '--config', CSV, '--data.path', 'my.csv']
            + ['--run_dir', 'runs/my'],
        ),
        (
            ['fit', '--config=molecules/csv.yaml', '--data.path=x'],
            ['fit', '--config', CSV, '--data.path=x'],
        ),
        (
            ['fit', 'my.csv', '--data.task', 'binary', '-c=molecules/csv'],
            ['fit', '-c', CSV, '--data.task', 'binary']
            + ['--data.path', 'my.csv', '--run_dir', 'runs/my'],
        ),
        (
            ['fit', 'my.csv', '--a', '', '--config', 'a', '--b', '-c=b'],
            ['fit', '--config', 'a', '-c', 'b', '--a', '', '--b']
            + ['--data.path', 'my.csv', '--run_dir', 'runs/my'],
        ),
        (
            ['validate', '-c', 'configs/molecules/csv.yaml'],
            ['validate', '-c', CSV],
        ),
        (['fit', '.csv'], None),
        (['fit', '--a', '1', '--config', 'mine.yaml'], 0),
        (['fit', '--config'], 0),
        (['fit', '--help'], 0),
        (['fit'], 0),
        (['test', 'my.csv'], 0),
        ([], 0),
    ],
)
def test_written_out(given, written, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if written is None:
        assert expanded(given)[-1] == 'runs/molecules'
    else:
        assert expanded(given) == (written or given)


def test_files_come_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'molecules').mkdir()
    (tmp_path / 'molecules/csv').write_text('seed_everything: 1')
    given = ['fit', '--config', 'molecules/csv']
    assert expanded(given) == given


def test_unknown_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"'config' must be .*'csv'.*nope"):
        expanded(['fit', '--config', 'molecules/nope'])


@pytest.mark.parametrize('name', ['', '-'])
def test_no_file(name):
    with pytest.raises(ValueError, match=f"'path' must be a file.*'{name}'"):
        expanded(['fit', name, '--trainer.max_epochs', '3'])


def test_checkout_shows_them():
    folder = ROOT / 'configs' / 'molecules'
    assert os.path.samefile(folder, FOLDER)


def test_table_gets_the_default_recipe():
    """Apart from what the file says of tables."""
    of_table, default = (
        yaml.safe_load((FOLDER / f'{name}.yaml').read_text())
        for name in ('csv', 'default')
    )
    data = of_table['data']['init_args']
    given = {key: value for key, value in data.items() if value is not None}
    assert given == default['data']['init_args']
    assert of_table['model'] == default['model']
    assert of_table['trainer'] == default['trainer']


def test_a_table_is_trained_on_by_the_default():
    csv, default = (
        yaml.safe_load((FOLDER / f'{name}.yaml').read_text())
        for name in ('csv', 'default')
    )
    for part in ('model', 'trainer'):
        assert csv[part] == default[part]
    assert csv.get('averaging') == default.get('averaging')
    data = csv['data']['init_args']
    assert data.items() >= default['data']['init_args'].items()
