import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gmoe.datasets import OGBMolDataset
from gmoe.datasets.download import downloaded
from tests.datasets.download_race import (
    NAME,
    kill,
    race,
    slow_server,
    start,
    write_archives,
)


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    return write_archives(tmp_path)


@pytest.fixture
def url(archives: Path) -> Iterator[str]:
    with slow_server(archives, 0.1) as out:
        yield out


def download(url: str, target: Path, max_size: int = 10**6):
    return downloaded(url, target, 'it', 'put it there', max_size, log=False)


@pytest.mark.parametrize('name', ['ogb', 'webnlg'])
def test_download_at_once(tmp_path: Path, url: str, name: str):
    """See :mod:`tests.datasets.download_race` for many more of them."""
    assert race(name, tmp_path / 'root', url, 3) == 0


@pytest.mark.parametrize('name', ['ogb', 'webnlg'])
def test_killed_download(tmp_path: Path, url: str, name: str):
    assert [kill(name, tmp_path / str(t), url, t) for t in (0.02, 0.06)]


def test_downloaded(tmp_path: Path, archives: Path, url: str):
    target = tmp_path / 'a'
    content = (archives / 'ogb.zip').read_bytes()
    with download(f'{url}/ogb.zip', target) as path:
        assert path.read_bytes() == content
        part = path
    assert not part.exists()
    # What came of it is gone on with, but only from where it came.
    part.write_bytes(content[:100])
    with download(f'{url}/webnlg.zip', target) as path:
        assert path.read_bytes() == (archives / 'webnlg.zip').read_bytes()
    assert part.read_bytes() == content[:100]
    with download(f'{url}/ogb.zip', target) as path:
        assert path == part
        assert path.read_bytes() == content
        # A second one takes a file of its own.
        with download(f'{url}/ogb.zip', target) as other:
            assert other != path
            os.replace(other, target)
    assert target.read_bytes() == content
    assert not part.exists()


def test_bytes_on_the_wire(tmp_path: Path, archives: Path, url: str):
    for where in (f'{url}/ogb.zip', (archives / 'ogb.zip').as_uri()):
        size = (archives / 'ogb.zip').stat().st_size
        with download(where, tmp_path / 'a', size):
            pass
        with (
            pytest.raises(RuntimeError, match=f'at most {size - 1} bytes'),
            download(where, tmp_path / 'a', size - 1),
        ):
            pass
    assert not list(tmp_path.glob('.*'))


@pytest.mark.parametrize('address', ['nonsense', 'http://[', 'foo://a/b', ''])
def test_addresses_that_make_no_sense(tmp_path: Path, address: str):
    root = tmp_path / 'root'
    with pytest.raises(RuntimeError, match='Could not get'):
        OGBMolDataset(NAME, root, url=address or 'file:///', log=False)
    assert not root.exists()


def download_with_little_space(root: Path, address: str) -> None:
    resource = pytest.importorskip('resource', reason='limits are of Unix')
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    with pytest.raises(RuntimeError, match='Could not get.*File too large'):
        OGBMolDataset(NAME, root, url=address, log=False)


def test_disk_is_full(tmp_path: Path, archives: Path):
    root, address = tmp_path / 'root', (archives / 'ogb.zip').as_uri()
    process = start(download_with_little_space, root, address)
    process.join(60)
    assert process.exitcode == 0
    assert not list(root.glob('ogbg*'))
    # What came of it is gone on with.
    assert len(OGBMolDataset(NAME, root, url=address, log=False)) == 3
    assert [p.name for p in root.iterdir()] == ['ogbg_moltox21']
