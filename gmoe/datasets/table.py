"""Reads compressed tables of numbers from untrusted files."""

import csv
import gzip
import io
import re
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from gmoe.common.shown import shown
from gmoe.datasets.errors import CorruptDatasetError
from gmoe.datasets.limits import LIMITS, Limits

_BYTE_ORDER_MARK = b'\xef\xbb\xbf'
_NUMBERS = b'0123456789,.+- \r\n'
_NOT_SHAPE = bytes(set(range(256)) - set(b',\n'))


def read_bytes(path: Path, limits: Limits = LIMITS) -> bytes:
    """Returns the content of a file.

    Raises:
        CorruptDatasetError: If it is larger than the limit of a table.
    """
    with path.open('rb') as f:
        content = f.read(limits.table + 1)
    if len(content) > limits.table:
        raise CorruptDatasetError(
            path, f'it must be of at most {limits.table} bytes, got more'
        )
    return content


def decompress(content: bytes, path: Path, limits: Limits = LIMITS) -> bytes:
    """Decompresses the content of a gzip file.

    Raises:
        CorruptDatasetError: If it is truncated, fails its checksum, or holds
            more than the limits.
    """
    most = limits.content(len(content), limits.table)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as f:
            text = f.read(most + 1)
    except (OSError, EOFError, zlib.error) as e:
        raise CorruptDatasetError(
            path, f'it must be a complete gzip file, got {shown(str(e))}'
        ) from e
    if len(text) > most:
        raise CorruptDatasetError(
            path, f'it must hold at most {most} bytes, got more'
        )
    return text


def parse_csv(
    content: bytes,
    path: Path,
    columns: int,
    rows: int | None = None,
    limits: Limits = LIMITS,
) -> np.ndarray:
    """Parses a compressed table of numbers without a header.

    A byte order mark and blank lines at the end, as editors leave them, are
    skipped.

    Args:
        content: The content of the file.
        path: The file, for errors to name it.
        columns: How many columns it must hold.
        rows: How many labels it must hold, which are floating-point
            numbers, or missing; a blank line is a missing label if there is
            one column. A table of integers if not given.
        limits: How much it may hold.

    Raises:
        CorruptDatasetError: If it is not one, or has other columns.
    """
    dtype = np.int64 if rows is None else np.float64
    what = f'it must hold {columns} columns of {np.dtype(dtype).name}'
    text = decompress(content, path, limits).removeprefix(_BYTE_ORDER_MARK)
    text = _without_last_blank_lines(text, rows if columns == 1 else None)
    others = text.translate(None, _NUMBERS)
    if rows is not None:
        # A missing label may be a word, but those that pandas takes for one
        # and zero are no numbers.
        others = bytes(set(others) & set(b'rRsS'))
    if others:
        raise CorruptDatasetError(path, f'{what}, got {others[:20]!r} in it')
    num_lines = _check_columns(text, path, columns)
    if not num_lines:
        return np.empty((0, columns), dtype=dtype)
    try:
        frame = pd.read_csv(
            io.BytesIO(text),
            header=None,
            names=range(columns),
            index_col=False,
            dtype=dtype,
            skip_blank_lines=False,
            quoting=csv.QUOTE_NONE,
        )
    except (ValueError, OverflowError) as e:
        reason = _empty_cell(text) if rows is None else None
        reason = reason or f'got {shown(str(e), 200)}'
        raise CorruptDatasetError(path, f'{what}, {reason}') from e
    if len(frame) != num_lines:
        raise CorruptDatasetError(
            path, f'{what}, got a line that ends without a line feed'
        )
    # A copy, since pandas lends its own memory for reading only.
    return np.array(frame, dtype=dtype, order='C')


def _without_last_blank_lines(text: bytes, rows: int | None) -> bytes:
    """Leaves out blank lines at the end that are not among the rows."""
    end = text.rstrip(b' \r\n')
    if end:
        end += b'\n'
    if rows is not None:
        lines = end.count(b'\n')
        blank = text.count(b'\n') - lines
        end += b'\n' * max(0, min(blank, rows - lines))
    return end


def _check_columns(text: bytes, path: Path, columns: int) -> int:
    """Returns the number of lines; pandas fills those up that are short."""
    shape = text.translate(None, _NOT_SHAPE)
    line = b',' * (columns - 1) + b'\n'
    num_lines = shape.count(b'\n')
    if shape != line * num_lines:
        for i, got in enumerate(shape.splitlines()):
            if len(got) != columns - 1:
                raise CorruptDatasetError(
                    path,
                    f'it must hold {columns} columns, got '
                    f'{len(got) + 1} in line {i + 1}',
                )
    return num_lines


def _empty_cell(text: bytes) -> str | None:
    cell = re.search(rb'(?:^|[,\n])[ \r]*[,\n]', text)
    if cell is None:
        return None
    line = text.count(b'\n', 0, cell.end() - 1) + 1
    return f'got an empty cell in line {line}'
