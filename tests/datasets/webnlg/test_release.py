import re
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from gmoe.datasets import CorruptDatasetError
from gmoe.datasets.webnlg import release as release
from gmoe.datasets.webnlg.release import (
    ARCHIVE,
    CHECKSUM,
    download_release,
    find_release,
    read_release,
)
from tests.datasets.webnlg_files import PARSING, WITH_REFS, write_release


def write_zip(path: Path, root: Path, prefix: str = 'webnlg-dataset/') -> Path:
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f'{prefix}README.md', 'Not read.')
        for file in sorted(root.rglob('*.*')):
            if file.is_file():
                name = file.relative_to(root).as_posix()
                archive.write(file, f'{prefix}{name}')
    return path


@pytest.mark.parametrize('inner', ['', 'release_v3.0', 'release_v3.0/en'])
def test_folder(tmp_path: Path, inner: str):
    write_release(tmp_path)
    path = find_release(tmp_path / inner)
    assert path is not None
    out = read_release(path)
    count = {key: len(entries) for key, entries in out.entries.items()}
    assert count == {'train': 2, 'dev': 1, 'test': 8}
    assert out.instance_type[f'test/{WITH_REFS}', 'Id3'] == 'unseen_entities'
    assert out.instance_type[f'test/{PARSING}', 'Id2'] == 'unseen_category'
    assert not out.left_out


def test_archive_is_the_folder(tmp_path: Path):
    write_release(tmp_path / 'a')
    (tmp_path / 'b').mkdir()
    path = write_zip(tmp_path / 'b' / 'webnlg-dataset-x.zip', tmp_path / 'a')
    before = sorted(tmp_path.rglob('*'))
    assert find_release(tmp_path / 'b') == path
    out = read_release(path)
    assert out == read_release(tmp_path / 'a' / 'release_v3.0' / 'en')
    assert sorted(tmp_path.rglob('*')) == before  # Nothing is extracted.
    assert find_release(path) == path
    assert find_release(tmp_path / 'nothing') is None


def test_missing_split(tmp_path: Path):
    path = write_release(tmp_path) / 'release_v3.0' / 'en'
    next(path.glob('dev/*/*.xml')).unlink()
    with pytest.raises(FileNotFoundError, match="split 'dev'"):
        read_release(path)


@pytest.mark.parametrize('text', ['{', '[]', '{"Id1": "type9"}', '{"a": []}'])
def test_malformed_types(tmp_path: Path, text: str):
    path = write_release(tmp_path) / 'release_v3.0' / 'en'
    file = path / 'test' / 'semantic-parsing-test-instance-types.json'
    file.write_text(text)
    message = r"instance-types.json': it must hold one of \[.*, got "
    with pytest.raises(CorruptDatasetError, match=message):
        read_release(path)


def test_damaged_archive(tmp_path: Path):
    write_release(tmp_path / 'a')
    path = write_zip(tmp_path / 'a.zip', tmp_path / 'a')
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(CorruptDatasetError, match='complete archive'):
        read_release(path)
    start = content.index(b'Airport.xml') + 40
    damaged = content[:start] + bytes([content[start] ^ 255])
    path.write_bytes(damaged + content[start + 1 :])
    with pytest.raises(CorruptDatasetError, match=re.escape(str(path))):
        read_release(path)
    write_zip(path, tmp_path / 'nothing')
    with pytest.raises(CorruptDatasetError, match='release_v3.0/en'):
        read_release(path)


def test_archive_that_leads_elsewhere(tmp_path: Path):
    write_release(tmp_path / 'a')
    path = write_zip(tmp_path / 'a.zip', tmp_path / 'a', '../../')
    with pytest.raises(CorruptDatasetError, match='below its own folder'):
        read_release(path)


def test_archive_with_a_file_twice(tmp_path: Path):
    write_release(tmp_path / 'a')
    path = write_zip(tmp_path / 'a.zip', tmp_path / 'a')
    with zipfile.ZipFile(path, 'a') as archive:
        name = f'other/release_v3.0/en/test/{PARSING}'
        archive.writestr(name, 'x')
    with pytest.raises(CorruptDatasetError, match='once'):
        read_release(path)


@pytest.mark.parametrize('limit', ['MAX_FILE_SIZE', 'MAX_TOTAL_SIZE'])
def test_limits(tmp_path: Path, limit: str, monkeypatch: pytest.MonkeyPatch):
    write_release(tmp_path / 'a')
    path = write_zip(tmp_path / 'a.zip', tmp_path / 'a')
    monkeypatch.setattr(release, limit, 100)
    with pytest.raises(CorruptDatasetError, match='at most 100 bytes.*, got'):
        read_release(path)


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    write_release(tmp_path / 'source')
    return write_zip(tmp_path / 'x.zip', tmp_path / 'source').read_bytes()


@pytest.fixture
def server(archive: bytes):
    """A server with the archive; `ranges` are those that it was asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get('Range')
            self.server.ranges.append(asked)
            if self.path == '/none':
                self.send_error(404)
                return
            start = int(asked[6:-1]) if asked and self.server.resumes else 0
            self.send_response(206 if start else 200)
            self.send_header('Content-Length', str(len(archive) - start))
            self.end_headers()
            end = self.server.stop or len(archive)
            self.wfile.write(archive[start:end])

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(('127.0.0.1', 0), Handler) as out:
        out.ranges, out.resumes, out.stop = [], True, None
        out.url = f'http://127.0.0.1:{out.server_port}/a.zip'
        thread = threading.Thread(target=out.serve_forever, daemon=True)
        thread.start()
        yield out
        out.shutdown()


@pytest.mark.parametrize('resumes', [True, False])
def test_download(tmp_path: Path, server, archive: bytes, resumes: bool):
    root = tmp_path / 'root'
    server.stop, server.resumes = 500, resumes
    with pytest.raises(RuntimeError, match='ended after 500 of'):
        download_release(root, server.url, None, log=False)
    server.stop = None
    path = download_release(root, server.url, None, log=False)
    assert server.ranges == [None, 'bytes=500-']
    assert path == root / ARCHIVE
    assert path.read_bytes() == archive
    assert list(root.iterdir()) == [path]
    assert find_release(root) == path


def test_download_of_something_else(tmp_path: Path, server):
    root = tmp_path / 'root'
    with pytest.raises(RuntimeError, match=f'checksum {CHECKSUM}'):
        download_release(root, server.url, log=False)
    assert not root.exists() or not list(root.iterdir())


def test_download_fails(tmp_path: Path, server, capsys):
    url = server.url.replace('a.zip', 'none')
    with pytest.raises(RuntimeError, match="(?s)404.*release_v3.0.*'/"):
        download_release(tmp_path / 'root', url)
    assert url in capsys.readouterr().out
    assert not (tmp_path / 'root').exists()
    with pytest.raises(RuntimeError, match='Get this archive by other means'):
        download_release(tmp_path, 'http://127.0.0.1:9/x', log=False)


def test_download_that_is_too_large(tmp_path: Path, server, monkeypatch):
    monkeypatch.setattr(release, 'MAX_ARCHIVE_SIZE', 10)
    with pytest.raises(RuntimeError, match='at most 10 bytes'):
        download_release(tmp_path / 'root', server.url, None, log=False)


def test_checksum():
    files = {'b': b'1', 'a': b'2'}
    value = release.files_checksum(files)
    assert value == release.files_checksum(dict(sorted(files.items())))
    assert value != release.files_checksum({'b': b'2', 'a': b'1'})


def test_official_release(data_root: Path):
    path = find_release(data_root / 'webnlg')
    assert path is not None
    out = read_release(path)
    count = {key: len(entries) for key, entries in out.entries.items()}
    assert count == {'train': 13211, 'dev': 1667, 'test': 5713}
    read = release._read_zip if path.is_file() else release._read_folder
    assert release.files_checksum(read(path)) == CHECKSUM
    tests = {(entry.file, entry.eid) for entry in out.entries['test']}
    assert tests == set(out.instance_type)
