import os
import signal
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gmoe.datasets import OGBMolDataset
from gmoe.datasets.archive import extract_zip
from gmoe.datasets.ogb.download import download_ogb_mol
from gmoe.datasets.ogb.info import ogb_mol_info
from tests.datasets.download_race import start

INFO = ogb_mol_info('ogbg-moltox21')


def make_zip(folder: Path, path: Path) -> Path:
    """Archives a dataset as OGB does."""
    with zipfile.ZipFile(path, 'w') as archive:
        for file in sorted(folder.rglob('*.gz')):
            name = Path(INFO.download_name) / file.relative_to(folder)
            archive.write(file, name)
    return path


@pytest.fixture
def archive(tmp_path: Path, write_dataset: Callable[..., Path]) -> Path:
    folder = write_dataset(tmp_path / 'source')
    return make_zip(folder, tmp_path / 'tox21.zip')


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    handler = partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield f'http://127.0.0.1:{httpd.server_port}'
        httpd.shutdown()
        thread.join()


def test_download_over_http(tmp_path: Path, archive: Path, server: str):
    root = tmp_path / 'a' / 'b'
    dataset = OGBMolDataset(
        'ogbg-moltox21', root, url=f'{server}/tox21.zip', log=False
    )
    assert len(dataset) == 3
    assert dataset.smiles(0) == 'CCO'
    assert [path.name for path in root.iterdir()] == ['ogbg_moltox21']
    # It is there now.
    OGBMolDataset('ogbg-moltox21', root, download=False)

    with pytest.raises(RuntimeError, match=r'nothing.zip.*404'):
        OGBMolDataset(
            'ogbg-moltox21',
            tmp_path / 'c',
            url=f'{server}/nothing.zip',
            log=False,
        )
    assert not (tmp_path / 'c').exists()


def test_download_over_file(tmp_path: Path, archive: Path):
    folder = tmp_path / 'root' / 'ogbg_moltox21'
    download_ogb_mol(INFO, folder, archive.as_uri(), log=False)
    assert sorted(path.name for path in folder.iterdir()) == [
        'mapping',
        'raw',
        'split',
    ]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_download_without_network(tmp_path: Path):
    url = 'http://127.0.0.1:9/tox21.zip'  # Nobody answers there.
    (tmp_path / 'root').mkdir()
    with pytest.raises(RuntimeError) as info:
        OGBMolDataset('ogbg-moltox21', tmp_path / 'root', url=url, log=False)
    assert url in str(info.value)
    assert str(tmp_path / 'root' / 'ogbg_moltox21') in str(info.value)
    assert list((tmp_path / 'root').iterdir()) == []


@pytest.mark.parametrize(
    'damage', ['half', 'byte', 'no zip', 'other folder', 'corrupt', 'no split']
)
def test_download_of_damaged_archive(
    tmp_path: Path,
    archive: Path,
    write_dataset: Callable[..., Path],
    damage: str,
):
    content = archive.read_bytes()
    if damage == 'half':
        archive.write_bytes(content[: len(content) // 2])
    elif damage == 'byte':
        i = content.index(b'node-feat.csv.gz') + 40
        archive.write_bytes(
            content[:i] + bytes([content[i] ^ 255]) + content[i + 1 :]
        )
    elif damage == 'no zip':
        archive.write_bytes(b'<html>moved</html>')
    elif damage == 'other folder':
        with zipfile.ZipFile(archive, 'w') as f:
            f.writestr('hiv/raw/edge.csv.gz', b'')
    else:
        tables = {'raw/edge': ['0,1', '1,9', '0,1']}
        folder = write_dataset(tmp_path / 'other', **tables)
        if damage == 'no split':
            folder = tmp_path / 'source'
            (folder / 'split' / 'scaffold' / 'test.csv.gz').unlink()
        make_zip(folder, archive)

    root = tmp_path / 'root'
    with pytest.raises(RuntimeError, match='Could not get'):
        OGBMolDataset('ogbg-moltox21', root, url=archive.as_uri(), log=False)
    assert not root.exists()


@pytest.mark.parametrize(
    'name',
    [
        '../evil.txt',
        'tox21/../../evil.txt',
        '/evil.txt',
        'C:/evil.txt',
        '..\\evil.txt',
        'tox21/link',
    ],
)
def test_download_of_malicious_archive(
    tmp_path: Path,
    archive: Path,
    name: str,
):
    member = zipfile.ZipInfo(name)
    if name == 'tox21/link':
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, 'a') as f:
        f.writestr(member, '/etc')
    root = tmp_path / 'root'
    with pytest.raises(RuntimeError, match='the archive must hold'):
        OGBMolDataset('ogbg-moltox21', root, url=archive.as_uri(), log=False)
    assert not root.exists()
    assert not list(tmp_path.rglob('evil*'))

    with pytest.raises(RuntimeError, match='the archive must hold'):
        extract_zip(archive, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def download_and_die(folder: Path, url: str) -> None:
    rename = os.rename

    def rename_and_die(*paths: Path) -> None:
        rename(*paths)
        os.kill(os.getpid(), signal.SIGKILL)

    os.rename = rename_and_die
    download_ogb_mol(INFO, folder, url, log=False)


def test_killed_after_the_move(tmp_path: Path, archive: Path):
    folder = tmp_path / 'root' / 'ogbg_moltox21'
    process = start(download_and_die, folder, archive.as_uri())
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    # What is left of the download is gone after the next run.
    assert len(list(folder.parent.iterdir())) == 2
    OGBMolDataset('ogbg-moltox21', folder.parent, download=False)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_download_that_loses_a_race(
    tmp_path: Path,
    archive: Path,
    write_dataset: Callable[..., Path],
):
    folder = write_dataset(tmp_path / 'root' / 'ogbg_moltox21')
    download_ogb_mol(INFO, folder, archive.as_uri(), log=False)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]

    (tmp_path / 'file').write_text('')
    with pytest.raises(RuntimeError, match='Could not get'):
        download_ogb_mol(INFO, tmp_path / 'file' / 'x', archive.as_uri())
