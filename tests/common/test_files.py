import os
import signal
import time
from pathlib import Path

import pytest

from gmoe.common import files
from gmoe.common.files import (
    STALE_AGE,
    is_writable,
    nearest_name,
    remove_stale,
    replace_text,
    replacing,
    temporary_folder,
)
from gmoe.datasets.cache import TensorCache
from tests.datasets.download_race import fork, kill_save, start


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nearest_name_is_another_one(tmp_path):
    (tmp_path / 'model').touch()
    assert nearest_name(tmp_path / 'model') == ''
    assert nearest_name(tmp_path / 'modle') != ''


def test_replacing(tmp_path: Path):
    target = tmp_path / 'a'
    target.write_text('old')
    with replacing(target) as f:
        f.write(b'new')
        remove_stale(tmp_path)  # It has a writer.
        assert len(names(tmp_path)) == 2
        assert target.read_text() == 'old'
    assert target.read_text() == 'new'
    with pytest.raises(ZeroDivisionError), replacing(target):
        raise ZeroDivisionError
    assert target.read_text() == 'new'
    with temporary_folder(target) as folder:
        (folder / 'b').write_text('')
        remove_stale(tmp_path)
        assert (folder / 'b').exists()
    assert names(tmp_path) == ['a']


def write(kind: str, folder: Path, is_written) -> None:
    """Writes for ever."""
    make = replacing if kind == 'file' else temporary_folder
    with make(folder / 'gmoe.pt') as out:
        if kind == 'file':
            out.write(bytes(100))
            out.flush()
        else:
            (out / 'raw').write_bytes(bytes(100))
        is_written.set()
        time.sleep(600)


@pytest.mark.parametrize('kind', ['file', 'folder'])
def test_killed_writer(tmp_path: Path, kind: str):
    processes = []
    for _ in range(2):
        is_written = fork.Event()
        processes.append(start(write, kind, tmp_path, is_written))
        assert is_written.wait(60)
    assert len(names(tmp_path)) == 2
    for left in (1, 0):
        process = processes.pop()
        os.kill(process.pid, signal.SIGKILL)
        process.join(60)
        assert len(names(tmp_path)) == left + 1
        remove_stale(tmp_path)  # But not what the other one writes.
        assert len(names(tmp_path)) == left


def test_killed_while_a_cache_is_written(tmp_path: Path):
    assert any([kill_save(tmp_path / str(i)) for i in range(4)])


def test_next_run_cleans_every_folder(tmp_path: Path):
    is_written = fork.Event()
    process = start(write, 'file', tmp_path, is_written)
    assert is_written.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    (name,) = names(tmp_path)
    replace_text(tmp_path / 'text', 'é\n')
    assert (tmp_path / 'text').read_bytes() == b'\xc3\xa9\n'
    assert names(tmp_path) == ['text']
    (tmp_path / name).write_text('')
    TensorCache(tmp_path / 'data', 'a' * 64, tmp_path).load()
    assert names(tmp_path) == ['text']


def test_what_is_of_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    old = time.time() - STALE_AGE - 60
    with monkeypatch.context() as context:
        context.setattr(files, '_machine', lambda: 'b' * 8)
        path = files._unused_name(tmp_path / 'gmoe.pt')
    others = [
        path,
        tmp_path / f'.gmoe.pt-{"a" * 32}.tmp',
        tmp_path / '.ogbg_molhiv-a_0b1c2d',
        tmp_path / '.ogbg_molhiv-00000000.part',
    ]
    foreign = [tmp_path / name for name in ('.git-abcdefgh', '.a.tmp', 'b')]
    for file in (*others, *foreign):
        file.write_text('')
    # Its writer may be one whose lock is not seen here.
    remove_stale(tmp_path)
    assert len(names(tmp_path)) == 7
    for file in (*others[1:], *foreign):
        os.utime(file, (old, old))
    remove_stale(tmp_path)
    assert names(tmp_path) == sorted(p.name for p in (path, *foreign))
    # A folder is as old as what is in it.
    folder = tmp_path / '.ogbg_molhiv-a_0b1c2d'
    folder.mkdir()
    (folder / 'new').write_text('')
    os.utime(folder, (old, old))
    remove_stale(tmp_path)
    assert folder.exists()


@pytest.mark.parametrize('make', [replacing, temporary_folder])
def test_folders_that_take_nothing(make, monkeypatch, tmp_path: Path):
    """As /proc, which says that the new file does not exist."""
    monkeypatch.setattr(
        files, '_unused_name', lambda path: tmp_path / 'missing' / path.name
    )
    message = 'nothing can be made in its folder: .*wanted'
    with (
        pytest.raises(FileNotFoundError, match=message),
        make(tmp_path / 'wanted'),
    ):
        pass


def test_links_and_folders_that_cannot_be_written(tmp_path: Path):
    outside = tmp_path / 'outside'
    outside.mkdir()
    folder = tmp_path / 'folder'
    folder.mkdir()
    path = files._unused_name(folder / 'gmoe.pt')
    path.symlink_to(outside)
    remove_stale(folder)
    assert path.is_symlink()
    path.unlink()

    path.write_text('')
    folder.chmod(0o555)
    assert not is_writable(folder)
    remove_stale(folder)
    assert path.exists()
    folder.chmod(0o755)
    remove_stale(folder)
    assert not path.exists()
    remove_stale(tmp_path / 'missing')


def test_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def none(*args: object) -> None:
        raise OSError(37, 'No locks available')

    monkeypatch.setattr(files.fcntl, 'flock', none)
    with replacing(tmp_path / 'a') as f:
        f.write(b'1')
        remove_stale(tmp_path)  # Nobody knows whether it has a writer.
    assert names(tmp_path) == ['a']
    monkeypatch.setattr(files, 'fcntl', None)
    with replacing(tmp_path / 'a') as f:
        f.write(b'2')
        remove_stale(tmp_path)
    assert (tmp_path / 'a').read_text() == '2'
