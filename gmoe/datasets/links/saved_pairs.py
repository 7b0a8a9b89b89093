"""Reads pairs of nodes out of the files that OGB has them in."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gmoe.common.shown import one_line, shown
from gmoe.datasets.errors import CorruptDatasetError
from gmoe.datasets.limits import Limits
from gmoe.datasets.nodes.pickled import PickledArray, PickledType, array_of

#: The training pairs of ogbl-ppa are 340 MB.
LIMITS = Limits(table=2**31)


def _bytes_of(text: str, encoding: str) -> bytes:
    """As an old protocol has bytes, in place of any encoding there is."""
    if encoding != 'latin1':
        raise ValueError(f'it has bytes in {shown(encoding)}')
    return text.encode('latin1')


# What such a file may name, and what is made instead of it.
_NAMES: list[Any] = [
    (_bytes_of, '_codecs.encode'),
    (PickledType, 'numpy.dtype'),
    (PickledArray, 'numpy.ndarray'),
    (PickledArray, 'numpy.core.multiarray._reconstruct'),
    (PickledArray, 'numpy._core.multiarray._reconstruct'),
]


def read_saved_pairs(
    path: Path, names: list[str], limits: Limits = LIMITS
) -> dict[str, Tensor]:
    """Reads pairs that ``torch.save`` has written: a dictionary of arrays of
    numpy or tensors of shape ``[num_pairs, 2]``. No code that the file holds
    is run, and nothing of numpy: arrays are made of records.

    Args:
        path: The file.
        names: The keys that are read.
        limits: How large it may be.

    Returns:
        int64 of shape ``[2, num_pairs]`` for each of them.

    Raises:
        FileNotFoundError: If there is no such file.
        CorruptDatasetError: If it holds something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' must be a file, got none")
    if path.stat().st_size > limits.table:
        raise CorruptDatasetError(
            path, f'it must be of at most {limits.table} bytes, got more'
        )
    try:
        _check_parts(path)
        with torch.serialization.safe_globals(_NAMES):
            value = torch.load(path, 'cpu', weights_only=True)
    except Exception as error:  # Of many kinds, by what is wrong.
        reason = str(error).partition('WeightsUnpickler error: ')
        line = (reason[2] or reason[0]).strip().split('\n')[0]
        raise CorruptDatasetError(
            path,
            'it must hold arrays that torch.save has written, got '
            f'{one_line(line, 100) or type(error).__name__}',
        ) from error
    if not isinstance(value, dict):
        raise CorruptDatasetError(
            path, f'it must hold a dictionary, got a {type(value).__name__}'
        )
    return {name: _pairs(value.get(name), name, path) for name in names}


def _check_parts(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        return  # As PyTorch wrote before 1.6.
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if any(m.compress_type != zipfile.ZIP_STORED for m in members):
        raise ValueError('compressed parts')
    if sum(member.file_size for member in members) > path.stat().st_size:
        raise ValueError('parts that are larger than it is')


def _pairs(value: Any, name: str, path: Path) -> Tensor:
    if isinstance(value, Tensor) and value.layout == torch.strided:
        # A tensor may claim more numbers than are in the file.
        size = value.numel() * value.element_size()
        is_whole = size <= value.untyped_storage().nbytes()
        array = value.numpy() if is_whole else np.empty(0)
    elif isinstance(value, PickledArray):
        array = array_of(value, path)
    else:
        kind = 'none' if value is None else f'a {type(value).__name__}'
        raise CorruptDatasetError(
            path, f"'{name}' must be an array of pairs, got {kind}"
        )
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in 'iu':
        raise CorruptDatasetError(
            path,
            f"'{name}' must be integers of shape [num_pairs, 2], got "
            f'{array.dtype} of shape {list(array.shape)}',
        )
    return torch.from_numpy(array.astype(np.int64).T.copy())
