"""Reads matrices and lists of neighbours out of pickles, without running
what a pickle may hold.

The files of Planetoid are pickles of Python 2. Each operation of such a file
is looked at before any is run; the four names that those files have are
replaced by plain records, and any other is an error.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from gmoe.common.shown import shown
from gmoe.datasets.errors import CorruptDatasetError
from gmoe.datasets.limits import LIMITS, Limits
from gmoe.datasets.nodes.sparse import dense
from gmoe.datasets.table import read_bytes

#: The operations of these files: numbers, texts, tuples, lists, tables, and
#: the making of what :class:`_Plain` lets in.
_OPERATIONS = frozenset(
    {
        'APPEND',
        'APPENDS',
        'BINGET',
        'BININT',
        'BININT1',
        'BININT2',
        'BINPUT',
        'BINSTRING',
        'BUILD',
        'EMPTY_DICT',
        'EMPTY_LIST',
        'EMPTY_TUPLE',
        'GLOBAL',
        'LONG_BINGET',
        'LONG_BINPUT',
        'MARK',
        'NEWFALSE',
        'NEWOBJ',
        'NEWTRUE',
        'NONE',
        'PROTO',
        'REDUCE',
        'SETITEM',
        'SETITEMS',
        'SHORT_BINSTRING',
        'STOP',
        'TUPLE',
        'TUPLE1',
        'TUPLE2',
        'TUPLE3',
    }
)
# Tuples of tuples that are there many times take for ever to be looked up.
_FEW = {'TUPLE': 32, 'BINGET': 16}
#: The kinds of numbers.
_TYPES = {f'{kind}{size}' for kind in 'iuf' for size in (1, 2, 4, 8)}


class _Record:
    """Keeps the state that an object would have."""

    state: Any = None

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Matrix(_Record):
    """A sparse matrix."""


class PickledArray(_Record):
    """An array."""


class PickledType(_Record):
    """A type of numbers."""


class _Plain(pickle.Unpickler):
    """Makes records of objects."""

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ('scipy.sparse.csr', 'csr_matrix'): _Matrix,
            ('numpy.core.multiarray', '_reconstruct'): PickledArray,
            ('numpy', 'ndarray'): PickledArray,
            ('numpy', 'dtype'): PickledType,
            ('collections', 'defaultdict'): _table,
            ('__builtin__', 'list'): _Record,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f'it names {module}.{name}')
        return known[module, name]


def _table(*_: Any) -> dict[Any, Any]:
    return {}


def read_pickled_matrix(path: Path, limits: Limits = LIMITS) -> np.ndarray:
    """Reads a matrix, sparse or not, as a dense one in float32.

    Args:
        path: The file.
        limits: How large it may be.

    Raises:
        FileNotFoundError: If there is no such file.
        CorruptDatasetError: If it holds something else.
    """
    value = _read(path, limits)
    if isinstance(value, _Matrix) and isinstance(value.state, dict):
        data, indices, indptr = (
            array_of(value.state.get(part), path)
            for part in ('data', 'indices', 'indptr')
        )
        shape = value.state.get('_shape', value.state.get('shape'))
        if not _is_shape(shape):
            raise CorruptDatasetError(
                path, 'it must hold a matrix, got one without a shape'
            )
        return dense(path, path.name, data, indices, indptr, shape)
    out = array_of(value, path)
    if out.ndim != 2:
        raise CorruptDatasetError(
            path, f'it must hold a matrix, got {out.ndim} dimensions'
        )
    return out.astype(np.float32)


def read_pickled_neighbours(
    path: Path, num_nodes: int, limits: Limits = LIMITS
) -> np.ndarray:
    """Reads the lists of neighbours of nodes as edges from each node to its
    neighbours, int64 of shape ``[2, num_edges]``.

    Args:
        path: The file.
        num_nodes: The number of nodes.
        limits: How large it may be.

    Raises:
        FileNotFoundError: If there is no such file.
        CorruptDatasetError: If it holds something else, or other nodes.
    """
    value = _read(path, limits)
    ids = range(num_nodes)
    if not isinstance(value, dict):
        raise CorruptDatasetError(
            path,
            f'it must hold lists of neighbours, got a {type(value).__name__}',
        )
    # A list may be there for many nodes: counted before it is copied.
    sizes = [len(v) if isinstance(v, list) else -1 for v in value.values()]
    most = path.stat().st_size
    if min(sizes, default=0) < 0 or sum(sizes) > most:
        raise CorruptDatasetError(
            path,
            f'it must hold lists of at most {most} neighbours, got '
            f'{sum(sizes)}',
        )
    pairs = [(u, v) for u, near in value.items() for v in near]
    wrong = [
        node
        for node in (*value, *(v for _, v in pairs))
        if type(node) is not int or node not in ids
    ]
    if wrong:
        raise CorruptDatasetError(
            path,
            f'node ids must be integers from 0 to {num_nodes - 1}, got '
            f'{len(wrong)} others',
        )
    return np.array(pairs, dtype=np.int64).reshape(-1, 2).T


def _read(path: Path, limits: Limits) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' must be a file, got none")
    content = read_bytes(path, limits)
    try:
        _check_operations(content)
        file = io.BytesIO(content)
        return _Plain(file, encoding='latin1').load()
    except Exception as error:  # Of many kinds, by what is wrong.
        raise CorruptDatasetError(
            path,
            'it must be a pickle of a matrix or of lists of neighbours, got '
            f'{shown(str(error))}',
        ) from error


def _check_operations(content: bytes) -> None:
    count = dict.fromkeys(_FEW, 0)
    for operation, argument, _ in pickletools.genops(content):
        name = operation.name
        if name not in _OPERATIONS:
            raise pickle.UnpicklingError(f'it has a {name}')
        # A place in the table of what is kept takes memory up to there.
        if name == 'LONG_BINPUT' and int(argument or 0) > len(content):
            raise pickle.UnpicklingError(f'it has a place {argument}')
        for kind in _FEW:
            count[kind] += kind in name
            if count[kind] > _FEW[kind]:
                raise pickle.UnpicklingError(f'it has too many {name}')


def array_of(value: Any, path: Path) -> np.ndarray:
    """The array that a record stands for, a copy.

    Args:
        value: What was read in place of an array.
        path: The file.

    Raises:
        CorruptDatasetError: If it is no array of numbers.
    """
    state = value.state if isinstance(value, PickledArray) else None
    if isinstance(state, tuple) and len(state) == 5:
        _, shape, kind, is_fortran, content = state
        dtype = _dtype(kind)
        if (
            dtype is not None
            and _is_shape(shape)
            and isinstance(content, str | bytes)
            and int(np.prod(shape, dtype=object)) * dtype.itemsize
            == len(content)
        ):
            if isinstance(content, str):  # As Python 2 has bytes.
                content = content.encode('latin1')
            flat = np.frombuffer(content, dtype)
            out = flat.reshape(shape, order='F' if is_fortran is True else 'C')
            return out.astype(dtype.newbyteorder('='))
    raise CorruptDatasetError(
        path,
        f'it must hold an array of numbers, got a {type(value).__name__}',
    )


def _dtype(value: Any) -> np.dtype | None:
    if not isinstance(value, PickledType) or not isinstance(
        value.state, tuple
    ):
        return None
    name = value.arguments[0] if value.arguments else None
    order = value.state[1] if len(value.state) > 1 else None
    if name not in _TYPES or order not in ('<', '>', '|', '='):
        return None
    return np.dtype(f'{order}{name}')


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        type(size) is int and size >= 0 for size in value
    )
