"""The lines of a text file, in whatever form programs for tables write it."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

#: The most characters of a line.
MAX_LINE = 4 * 2**20

_ACCEPTED = 'CSV or TSV in UTF-8 or UTF-16, also compressed by gzip'
_GZIP = b'\x1f\x8b'
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
#: What other kinds of files start with.
_OTHERS = {
    b'PK\x03\x04': 'an Excel workbook or a ZIP archive',
    b'\xd0\xcf\x11\xe0': 'an old Excel workbook',
    b'PAR1': 'a Parquet file',
    b'BZh': 'a bzip2 file',
    b'\xfd7zXZ': 'an xz file',
    b'\x28\xb5\x2f\xfd': 'a Zstandard file',
    b'\x80': 'a pickle',
    b'\x89HDF': 'an HDF5 file',
}
# How Python reads bytes that are no UTF-8, and what Windows means by them.
_ESCAPED = {
    0xDC00 + byte: bytes([byte]).decode('cp1252', 'replace')
    for byte in range(0x80, 0x100)
}


class Text:
    """The lines of a file, and what was decided to read them.

    Args:
        file: The file, as text.
        name: Its name, for messages.
        limit: The most characters that are read.
    """

    def __init__(
        self, file: io.TextIOWrapper, name: str, limit: int | None
    ) -> None:
        self.name = name
        #: What was decided, a sentence each.
        self.said: list[str] = []
        self._file, self._limit, self._size = file, limit, 0
        #: The number of the last line.
        self.line = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = self._file.readline(MAX_LINE + 1)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(
                f"'{self.name}' must be a complete gzip file, got '{error}'"
            ) from error
        except UnicodeDecodeError as error:
            raise ValueError(
                f"'{self.name}' must be {_ACCEPTED}, got a damaged character "
                f'after line {self.line}'
            ) from error
        if not line:
            raise StopIteration
        self.line += 1
        self._size += len(line)
        self._check(line)
        return line if line.isascii() else self._mended(line)

    def _check(self, line: str) -> None:
        if len(line) > MAX_LINE:
            raise ValueError(
                f"'{self.name}', line {self.line} must be of at most "
                f'{MAX_LINE} characters, got more'
            )
        if self._limit is not None and self._size > self._limit:
            raise too_large(self.name, self._limit)
        if '\0' in line:
            raise ValueError(
                f"'{self.name}' must be {_ACCEPTED}, got zero bytes in line "
                f'{self.line}, as of a binary file or UTF-16 without a mark'
            )

    def _mended(self, line: str) -> str:
        mended = line.translate(_ESCAPED)
        if mended != line and not any('1252' in said for said in self.said):
            self.said.append(
                f'line {self.line} is no UTF-8: such bytes are read as '
                "Windows-1252, as Excel's"
            )
        return mended


def too_large(name: str, limit: int) -> ValueError:
    """The error of a file that is larger than what is read at once.

    Args:
        name: The file.
        limit: The most characters that are read.
    """
    return ValueError(
        f"'{name}' must hold at most {limit // 2**20} MiB of text, as it is "
        'read into memory whole, got more: leave out columns or rows'
    )


@contextlib.contextmanager
def open_text(
    source: str | os.PathLike[str] | BinaryIO, limit: int | None = None
) -> Iterator[Text]:
    """Opens a text file: UTF-8 with or without a byte order mark, UTF-16 with
    one, also compressed by gzip; lines end as those of any system.

    Args:
        source: The file, or an open one.
        limit: The most characters that are read. (default: there is no
            bound, for lines that are used one by one)

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be read.
        ValueError: If it is no such file, or larger than the limit; of what
            is inside, as the lines are read.
    """
    with contextlib.ExitStack() as stack:
        name = str(getattr(source, 'name', 'the input'))
        file = cast(Any, source)
        if isinstance(source, (str, os.PathLike)):
            name = os.fspath(source)
            file = stack.enter_context(_opened(Path(source).expanduser()))
            if limit is not None and os.fstat(file.fileno()).st_size > limit:
                raise too_large(name, limit)
        elif not hasattr(file, 'peek'):
            file = io.BufferedReader(file)
            # Without it, the file would be closed with its reader.
            stack.callback(file.detach)
        if file.peek(2)[:2] == _GZIP:
            file = io.BufferedReader(
                stack.enter_context(gzip.GzipFile(fileobj=file))
            )
        start = _start(file, name)
        for mark, kind in _OTHERS.items():
            if start.startswith(mark):
                raise ValueError(f"'{name}' must be {_ACCEPTED}, got {kind}")
        is_wide = start.startswith(_UTF_16)
        text = io.TextIOWrapper(
            file,
            encoding='utf-16' if is_wide else 'utf-8-sig',
            errors='strict' if is_wide else 'surrogateescape',
        )
        # Who has opened the file closes it.
        stack.callback(text.detach)
        yield Text(text, name, limit)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open('rb')
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"'path' must be a file of molecules, {_ACCEPTED}, got "
            f"'{path}', which is not there"
        ) from error
    except OSError as error:
        raise OSError(
            f"'path' must be a file that can be read, got '{path}' "
            f'({error.strerror})'
        ) from error


def _start(file: Any, name: str) -> bytes:
    try:
        return file.peek(8)[:8]
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"'{name}' must be a complete gzip file, got '{error}'"
        ) from error
