import zipfile
from pathlib import Path

import pytest

from gmoe.datasets import Limits, archive
from gmoe.datasets.archive import extract_zip
from tests.datasets.archive_fuzz import fuzz


def make(path: Path, *members: tuple[str, bytes], method: int = 8) -> Path:
    with zipfile.ZipFile(path, 'w', method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def test_extract_zip(tmp_path: Path):
    path = make(tmp_path / 'a.zip', ('a/', b''), ('a/b', b'1'), ('c', b'2'))
    extract_zip(path, tmp_path / 'out')
    assert (tmp_path / 'out' / 'a' / 'b').read_bytes() == b'1'
    assert (tmp_path / 'out' / 'c').read_bytes() == b'2'


@pytest.mark.parametrize(
    ('names', 'match'),
    [
        (['a/NUL'], 'below its own'),
        (['com1.csv.gz/a'], 'below its own'),
        (['.'], 'below its own'),
        (['a', 'A'], "each name once, got 'A' again"),
        (['a/', 'a'], 'each name once'),
        (
            ['x' * 1000 + '/..'],
            r"below its own folder only, got 'x{60}'\.\.\.",
        ),
    ],
)
def test_names(tmp_path: Path, names: list[str], match: str):
    path = make(tmp_path / 'a.zip', *((name, b'') for name in names))
    with pytest.raises(RuntimeError, match=match):
        extract_zip(path, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = make(tmp_path / 'a.zip', *((str(i), bytes(10)) for i in range(9)))
    extract_zip(path, tmp_path / 'a', Limits(members=9, unzipped=90))
    with pytest.raises(RuntimeError, match='at most 8 members, got 9'):
        extract_zip(path, tmp_path / 'b', Limits(members=8))
    with pytest.raises(RuntimeError, match='at most 89 bytes'):
        extract_zip(path, tmp_path / 'c', Limits(unzipped=89))
    with pytest.raises(RuntimeError, match='stored or deflated.*method 14'):
        extract_zip(
            make(path, ('a', b'1'), method=zipfile.ZIP_LZMA), tmp_path / 'd'
        )
    # 32 MB in 32 KB.
    make(path, ('a', bytes(2**25)))
    with pytest.raises(RuntimeError, match='at most 16777216 bytes'):
        extract_zip(path, tmp_path / 'e')
    assert (tmp_path / 'e' / 'a').stat().st_size <= 2**24

    make(path, *((f'{i:100}', b'') for i in range(100)))
    monkeypatch.setattr(archive, 'MAX_DIRECTORY', 10_000)
    with pytest.raises(zipfile.BadZipFile, match='at most 10000 bytes'):
        extract_zip(path, tmp_path / 'f')


def test_fuzz(tmp_path: Path):
    """See :mod:`tests.datasets.archive_fuzz` for many more of them."""
    counts = fuzz(tmp_path / 'in', 200)
    assert len(counts) == 4
    assert min(counts.values()) > 5
