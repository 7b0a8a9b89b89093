"""Sparse matrices from untrusted files: rows of numbers, mostly zero."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gmoe.datasets.errors import CorruptDatasetError

#: The most numbers that features are made dense for: 4 GiB.
MAX_NUMBERS = 2**30


def check_csr(
    path: Path, name: str, data: Any, indices: Any, indptr: Any, shape: Any
) -> tuple[int, int]:
    """Checks the parts of a matrix in compressed rows; returns its shape.

    Args:
        path: The file, for errors to name it.
        name: The matrix, for errors to name it.
        data: The numbers that are not zero.
        indices: The column of each.
        indptr: Where each row starts.
        shape: The number of rows and of columns.

    Raises:
        CorruptDatasetError: If they are not those of one.
    """
    arrays = [np.asarray(value) for value in (data, indices, indptr, shape)]
    data, indices, indptr, shape = arrays
    is_right = (
        all(value.ndim == 1 for value in arrays)
        and data.dtype.kind in 'biuf'
        and all(value.dtype.kind in 'iu' for value in arrays[1:])
        and shape.size == 2
        and bool((shape >= 0).all())
    )
    if is_right:
        rows, columns = map(int, shape)
        is_right = (
            indptr.size == rows + 1
            and int(indptr[0]) == 0
            and int(indptr[-1]) == data.size == indices.size
            and bool((indptr[1:] >= indptr[:-1]).all())
            and bool(((indices >= 0) & (indices < columns)).all())
        )
    if not is_right:
        raise CorruptDatasetError(
            path, f"'{name}' must be a matrix in compressed rows, got none"
        )
    return rows, columns


def row_of_each(indptr: np.ndarray) -> np.ndarray:
    """The row of each number of a matrix that has been checked.

    Args:
        indptr: Where each row starts.
    """
    return np.repeat(np.arange(indptr.size - 1), np.diff(indptr))


def dense(
    path: Path, name: str, data: Any, indices: Any, indptr: Any, shape: Any
) -> np.ndarray:
    """A matrix in compressed rows as a dense one in float32; what is there
    twice counts twice. The arguments are those of :func:`check_csr`.

    Raises:
        CorruptDatasetError: If it is none, or too large.
    """
    rows, columns = check_csr(path, name, data, indices, indptr, shape)
    if rows * columns > MAX_NUMBERS:
        raise CorruptDatasetError(
            path,
            f"'{name}' must have at most {MAX_NUMBERS} numbers, got {rows} "
            f'rows of {columns}',
        )
    out = np.zeros((rows, columns), dtype=np.float32)
    row = row_of_each(np.asarray(indptr))
    np.add.at(out, (row, np.asarray(indices)), np.asarray(data))
    return out
