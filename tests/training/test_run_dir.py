from concurrent.futures import ThreadPoolExecutor

import pytest
from lightning.pytorch.utilities import rank_zero_only

from gmoe.training.run_dir import RunDir


def checkpoint(root, version, name):
    path = root / f'version_{version}' / 'checkpoints' / f'{name}.ckpt'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_each_fit_has_a_folder(tmp_path):
    root = tmp_path / 'a' / 'b'
    paths = [RunDir.choose(root, 'fit', None).path for _ in range(11)]
    assert paths == [root / f'version_{i}' for i in range(11)]
    assert all(path.is_dir() for path in paths)
    (root / 'version_nine').mkdir()
    (root / 'version_99').touch()
    assert RunDir.choose(root, 'fit', None).path == root / 'version_11'


def test_fits_at_the_same_time(tmp_path):
    def choose(_):
        return RunDir.choose(tmp_path, 'fit', None).path

    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(choose, range(32)))
    assert len(set(paths)) == 32


def test_newest_version_with_the_checkpoint(tmp_path):
    for version in (2, 10):
        best = checkpoint(tmp_path, version, 'best')
    last = checkpoint(tmp_path, 9, 'last')
    (tmp_path / 'version_11').mkdir()
    for command in ('validate', 'test', 'predict'):
        for ckpt_path in (None, 'best'):
            run = RunDir.choose(tmp_path, command, ckpt_path)
            assert run == RunDir(tmp_path / 'version_10', str(best))
    run = RunDir.choose(tmp_path, 'fit', 'last')
    assert run == RunDir(tmp_path / 'version_9', str(last))


def test_folder_of_a_checkpoint(tmp_path):
    path = checkpoint(tmp_path, 3, 'other')
    run = RunDir.choose(tmp_path / 'elsewhere', 'test', str(path))
    assert run == RunDir(tmp_path / 'version_3', str(path))
    path = tmp_path / 'copied.ckpt'
    path.touch()
    run = RunDir.choose(tmp_path / 'new', 'test', str(path))
    assert run == RunDir(tmp_path / 'new' / 'version_0', str(path))


@pytest.mark.parametrize('ckpt_path', ['last', 'best', 'nope.ckpt'])
def test_missing_checkpoint(tmp_path, ckpt_path):
    RunDir.choose(tmp_path, 'fit', None)
    with pytest.raises(FileNotFoundError, match=f"'ckpt_path'.*{ckpt_path}"):
        RunDir.choose(tmp_path, 'fit', ckpt_path)


def test_processes_of_one_run_share_a_folder(tmp_path, monkeypatch):
    first = RunDir.choose(tmp_path, 'fit', None)
    monkeypatch.setattr(rank_zero_only, 'rank', 1)
    assert RunDir.choose(tmp_path, 'fit', None) == first
    # One that the first process did not start, and that knows of nothing.
    monkeypatch.delenv('GMOE_RUN_VERSION')
    RunDir.choose(tmp_path, 'fit', None)
    assert list(tmp_path.iterdir()) == [first.path]


def test_discard_keeps_what_is_in_use(tmp_path):
    run = RunDir.choose(tmp_path, 'fit', None)
    run.discard()
    assert not run.path.exists()
    run.discard()
    path = checkpoint(tmp_path, 0, 'last')
    run.discard()
    assert path.exists()
