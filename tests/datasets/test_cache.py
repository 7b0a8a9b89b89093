import os
import shutil
from pathlib import Path

import pytest
import torch

from gmoe.datasets import cache
from gmoe.datasets.cache import (
    TensorCache,
    default_cache_dir,
    given_cache_dir,
)
from tests.datasets.download_race import start

TENSORS = {
    'x': torch.arange(6, dtype=torch.uint8).view(3, 2),
    'y': torch.tensor([[1.0], [float('nan')]]),
    'empty': torch.empty(0, 3, dtype=torch.int32),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / 'data').mkdir()
    return tmp_path / 'data'


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*'))


def test_tensor_cache(folder: Path):
    cache = TensorCache(folder, 'a' * 64)
    assert cache.load() is None
    assert cache.save(TENSORS) == folder / 'processed' / 'gmoe.pt'
    assert files(folder.parent) == [
        'data',
        'data/processed',
        'data/processed/gmoe.pt',
    ]
    out = cache.load()
    for key, value in TENSORS.items():
        assert out[key].dtype == value.dtype
        assert torch.equal(out[key].nan_to_num(7), value.nan_to_num(7))

    other = TensorCache(folder, 'b' * 64)
    assert other.load() is None
    other.save(TENSORS)
    assert cache.load() is None


def test_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'user'))
    monkeypatch.delenv('GMOE_CACHE_DIR', raising=False)
    name, key = 'texts/hashed', 'a' * 64
    file = f'texts/hashed-{key[:16]}.pt'
    own = tmp_path / 'own'
    path = TensorCache.by_content(name, key).save(TENSORS)
    assert path == tmp_path / 'user' / 'gmoe' / file
    assert TensorCache.by_content(name, key, own).load() is None
    monkeypatch.setenv('GMOE_CACHE_DIR', str(own))
    assert TensorCache.by_content(name, key).save(TENSORS) == own / file
    assert TensorCache.by_content(name, key, str(own)).load() is not None


def test_get(folder: Path):
    calls = []

    def make() -> dict[str, torch.Tensor]:
        calls.append(1)
        return {'table': torch.arange(6.0)}

    for key in 'aab':
        cache = TensorCache(Path('table'), key * 64, folder)
        assert torch.equal(cache.get(make)['table'], torch.arange(6.0))
    assert len(calls) == 2
    assert files(folder) == [f'table-{key * 16}.pt' for key in 'ab']
    (folder / 'file').touch()
    wrong = Path('table'), 'a' * 64, folder / 'file' / 'x'
    with pytest.warns(UserWarning, match='Could not write'):
        out = TensorCache(*wrong, is_given=False).get(make)
    assert torch.equal(out['table'], torch.arange(6.0))
    with pytest.raises(ValueError, match="'cache_dir' must be a folder"):
        TensorCache(*wrong).get(make)
    assert len(calls) == 3


@pytest.mark.parametrize('which', ['folder', 'processed'])
def test_tensor_cache_of_read_only_folder(folder: Path, which: str):
    (folder / 'processed').mkdir()
    path = folder if which == 'folder' else folder / 'processed'
    path.chmod(0o555)
    cache = TensorCache(folder, 'a' * 64)
    # Also for the superuser, who could write.
    name = f'data-{"a" * 16}.pt'
    assert cache.save(TENSORS) == default_cache_dir() / name
    assert cache.load() is not None
    assert files(folder) == ['processed']
    path.chmod(0o755)


def test_given_folder_comes_first(folder: Path):
    own = TensorCache(folder, 'a' * 64)
    other = folder.parent / 'other'
    given = TensorCache(folder, 'a' * 64, other)
    own.save(TENSORS)
    assert given.load() is None  # Where nothing is to be written, nor read.
    shutil.rmtree(folder / 'processed')
    assert given.save(TENSORS) == other / f'data-{"a" * 16}.pt'
    assert given.load() is not None
    assert files(folder) == []

    # A folder that cannot be written is said, not replaced by another one.
    (folder.parent / 'file').write_text('')
    given = TensorCache(folder, 'a' * 64, folder.parent / 'file')
    with pytest.warns(UserWarning, match='Could not write a cache.*file'):
        assert given.save(TENSORS) is None
    assert given.load() is None
    assert files(folder) == []
    with pytest.raises(ValueError, match="'cache_dir' must be.*file': File"):
        given.get(lambda: TENSORS)
    # What was there before can be read.
    (other / 'old').mkdir()
    there = TensorCache(folder, 'a' * 64, other)
    other.chmod(0o500)
    assert set(there.get(dict)) == set(TENSORS)
    with pytest.raises(ValueError, match="'cache_dir' must be.*cannot be"):
        TensorCache(folder, 'b' * 64, other).get(lambda: TENSORS)
    other.chmod(0o700)


def test_folder_in_place_of_the_file(folder: Path):
    (folder / 'processed' / 'gmoe.pt').mkdir(parents=True)
    cache = TensorCache(folder, 'a' * 64)
    assert cache.load() is None
    assert cache.save(TENSORS).parent == default_cache_dir()
    assert set(cache.load()) == set(TENSORS)
    assert files(folder) == ['processed', 'processed/gmoe.pt']


@pytest.mark.parametrize('damage', ['half', 'flip', 'empty', 'pickle'])
def test_tensor_cache_damaged(folder: Path, damage: str):
    cache = TensorCache(folder, 'a' * 64)
    path = cache.save({'x': torch.full((1000,), 65, dtype=torch.uint8)})
    content = path.read_bytes()
    if damage == 'half':
        path.write_bytes(content[: len(content) // 2])
    elif damage == 'flip':
        assert content.count(b'A' * 1000) == 1
        path.write_bytes(content.replace(b'A' * 1000, b'A' * 999 + b'B'))
    elif damage == 'empty':
        path.write_bytes(b'')
    else:
        torch.save({'fingerprint': 'a' * 64, 'tensors': Path('x')}, path)
    assert cache.load() is None
    cache.save(TENSORS)
    assert set(cache.load()) == set(TENSORS)


def save_with_little_space(folder: Path) -> None:
    resource = pytest.importorskip('resource', reason='limits are of Unix')
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    tensors, cache = {'x': torch.zeros(10**5)}, folder.parent / 'cache'
    for given in (None, cache):
        with pytest.warns(UserWarning, match='Could not write a cache'):
            assert TensorCache(folder, 'a' * 64, given).save(tensors) is None


def test_disk_is_full(folder: Path):
    process = start(save_with_little_space, folder)
    process.join(60)
    assert process.exitcode == 0
    assert files(folder.parent) in (['data'], ['cache', 'data'])


def test_interrupted(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache.torch, 'save', interrupted)
    with pytest.raises(KeyboardInterrupt):
        TensorCache(folder, 'a' * 64).save(TENSORS)
    assert files(folder.parent) == ['data']


def test_default_cache_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert default_cache_dir() == tmp_path / 'gmoe'
    for value in ['', 'relative']:
        monkeypatch.setenv('XDG_CACHE_HOME', value)
        assert default_cache_dir() == Path.home() / '.cache' / 'gmoe'
    monkeypatch.setenv('HOME', os.fspath(tmp_path))
    assert default_cache_dir() == tmp_path / '.cache' / 'gmoe'


def test_user_without_a_home(monkeypatch: pytest.MonkeyPatch, folder: Path):
    pwd = pytest.importorskip('pwd', reason='users are of Unix')
    users = {user.pw_uid for user in pwd.getpwall()}
    unknown = next(i for i in range(50_000, 60_000) if i not in users)
    monkeypatch.delenv('XDG_CACHE_HOME')
    monkeypatch.delenv('HOME')
    monkeypatch.setattr(os, 'getuid', lambda: unknown)
    cache = TensorCache(folder, 'a' * 64)
    (folder / 'processed').write_text('')
    with pytest.warns(UserWarning, match='Could not write a cache'):
        assert cache.save(TENSORS) is None
    assert cache.load() is None


def test_given_cache_dir(monkeypatch: pytest.MonkeyPatch):
    assert given_cache_dir(None) is None
    monkeypatch.setenv('GMOE_CACHE_DIR', '~/cache')
    assert given_cache_dir(None) == Path.home() / 'cache'
    assert given_cache_dir('~/other') == Path.home() / 'other'
