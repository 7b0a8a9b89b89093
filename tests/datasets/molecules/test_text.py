import gzip
import io
from pathlib import Path

import pytest

from gmoe.datasets.molecules.text import MAX_LINE, open_text


def zipped(content: bytes) -> bytes:
    # Without the time, which would be another one in each process of pytest.
    return gzip.compress(content, mtime=0)


def lines(content: bytes, limit: int | None = None) -> list[str]:
    with open_text(io.BytesIO(content), limit) as text:
        return list(text)


@pytest.mark.parametrize(
    'content',
    [
        b'a\nb\xc3\xa9\n',
        b'\xef\xbb\xbfa\nb\xc3\xa9\n',
        b'a\r\nb\xc3\xa9\r\n',
        b'a\rb\xc3\xa9\r',
        'a\nbé\n'.encode('utf-16'),
        zipped(b'a\nb\xc3\xa9\n'),
        zipped('a\nbé\n'.encode('utf-16')),
    ],
)
def test_forms_of_a_text(content):
    assert lines(content) == ['a\n', 'bé\n']


def test_windows_1252():
    with open_text(io.BytesIO(b'a\n5 \x80\nb\xe9\n')) as text:
        assert list(text) == ['a\n', '5 €\n', 'bé\n']
    (said,) = text.said
    assert said.startswith('line 2 is no UTF-8')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'PK\x03\x04abc', 'an Excel workbook or a ZIP archive'),
        (b'\x80\x04abc', 'got a pickle'),
        (b'PAR1', 'got a Parquet file'),
        (b'a,b\n\0', 'zero bytes in line 2'),
        ('a\nb'.encode('utf-16-le'), 'zero bytes in line 1'),
        ('a\nb'.encode('utf-16')[:-1], 'a damaged character after line 1'),
        (zipped(b'a,b\n' * 99)[:-9], 'a complete gzip file'),
        (b'\x1f\x8bno', 'a complete gzip file'),
        (zipped(b'a\n') + b'more', 'a complete gzip file'),
        (b'a' * (MAX_LINE + 1), 'line 1 must be of at most'),
        (zipped(b'a' * (MAX_LINE + 1)), 'line 1 must be of at most'),
    ],
)
def test_other_files_are_refused_by_name(content, message):
    with pytest.raises(ValueError, match=message) as e:
        lines(content)
    assert "'the input'" in str(e.value)


def test_limit(tmp_path: Path):
    path = tmp_path / 'a.csv'
    path.write_bytes(b'a\n' * 2**20)
    with open_text(path, 2**21) as text:
        assert sum(1 for _ in text) == 2**20
    message = 'at most 1 MiB of text, as it is read into memory whole'
    with pytest.raises(ValueError, match=message), open_text(path, 2**20):
        pass
    path.write_bytes(gzip.compress(path.read_bytes()))
    with (
        pytest.raises(ValueError, match=message),
        open_text(path, 2**20) as text,
    ):
        list(text)


def test_a_file_of_2_gb_is_refused_before_it_is_read(tmp_path: Path):
    path = tmp_path / 'a.csv'
    with path.open('wb') as file:
        file.truncate(2 * 2**30)
    with pytest.raises(ValueError, match='256 MiB'), open_text(path, 2**28):
        pass


def test_files_that_cannot_be_read(tmp_path: Path):
    with (
        pytest.raises(FileNotFoundError, match='which is not there'),
        open_text(tmp_path / 'no.csv'),
    ):
        pass
    with (
        pytest.raises(OSError, match='that can be read, .*Is a directory'),
        open_text(tmp_path),
    ):
        pass


@pytest.mark.parametrize('content', [b'a\n', zipped(b'a\n')])
def test_an_open_file_stays_open(content: bytes):
    file = io.BytesIO(content)
    with open_text(file) as text:
        list(text)
    del text
    assert not file.closed
