import os
from pathlib import Path

import pytest
import torch

from gmoe.datasets import _cache
from gmoe.datasets._cache import TensorCache, default_cache_dir

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
    cache = TensorCache(folder, folder.parent / 'fallback', 'a' * 64)
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

    other = TensorCache(folder, folder.parent / 'fallback', 'b' * 64)
    assert other.load() is None
    other.save(TENSORS)
    assert cache.load() is None


@pytest.mark.parametrize('which', ['folder', 'processed'])
def test_tensor_cache_of_read_only_folder(folder: Path, which: str):
    (folder / 'processed').mkdir()
    path = folder if which == 'folder' else folder / 'processed'
    path.chmod(0o555)
    fallback = folder.parent / 'fallback'
    cache = TensorCache(folder, fallback, 'a' * 64)
    # Also for the superuser, who could write.
    assert cache.save(TENSORS) == fallback / f'data-{"a" * 16}.pt'
    assert cache.load() is not None
    assert files(folder) == ['processed']
    path.chmod(0o755)


@pytest.mark.parametrize('damage', ['half', 'flip', 'empty', 'pickle'])
def test_tensor_cache_damaged(folder: Path, damage: str):
    cache = TensorCache(folder, folder.parent / 'fallback', 'a' * 64)
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


def test_tensor_cache_that_cannot_be_written(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    def no_space(*args: object, **kwargs: object) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(_cache.torch, 'save', no_space)
    cache = TensorCache(folder, folder.parent / 'a' / 'b', 'a' * 64)
    with pytest.warns(UserWarning, match='No space left'):
        assert cache.save(TENSORS) is None
    assert files(folder.parent) == ['data']

    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_cache.torch, 'save', interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache.save(TENSORS)
    assert files(folder.parent) == ['data']


def test_default_cache_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert default_cache_dir() == tmp_path / 'gmoe'
    for value in ['', 'relative']:
        monkeypatch.setenv('XDG_CACHE_HOME', value)
        assert default_cache_dir() == Path.home() / '.cache' / 'gmoe'
    monkeypatch.setenv('HOME', os.fspath(tmp_path))
    assert default_cache_dir() == tmp_path / '.cache' / 'gmoe'
