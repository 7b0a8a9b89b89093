"""Reads numpy's archives of arrays from untrusted files."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gmoe.common.shown import shown
from gmoe.datasets.archive import check_member, open_zip
from gmoe.datasets.errors import CorruptDatasetError
from gmoe.datasets.limits import LIMITS, Limits

# Text is read for names of splits and classes only, which no set has.
_KINDS = 'biuf'


def read_arrays(
    path: Path, names: Sequence[str], limits: Limits = LIMITS
) -> dict[str, np.ndarray]:
    """Reads some arrays of an ``.npz`` file: numbers only, no more than the
    limits, nothing unpickled.

    Args:
        path: The file.
        names: The arrays.
        limits: How much it may hold.

    Raises:
        FileNotFoundError: If there is no such file.
        CorruptDatasetError: If it is damaged, an array is missing, or holds
            something else than numbers.
    """
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' must be a file, got none")
    left = limits.unzipped
    out = {}
    try:
        with open_zip(path) as archive:
            members = {m.filename: m for m in archive.infolist()}
            for name in names:
                member = members.get(f'{name}.npy')
                if member is None:
                    raise CorruptDatasetError(
                        path,
                        f"it must hold the array '{name}', got "
                        f'{shown(sorted(members))}',
                    )
                check_member(member)
                # Masks and words of zeros and ones take hardly any room.
                with archive.open(member) as file:
                    content = file.read(left + 1)
                if len(content) > left:
                    raise CorruptDatasetError(
                        path,
                        f'it must hold at most {limits.unzipped} bytes, got '
                        'more',
                    )
                left -= len(content)
                out[name] = _array(content, path, name)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise CorruptDatasetError(
            path, f'it must be a complete npz file, got {shown(str(error))}'
        ) from error
    return out


def _array(content: bytes, path: Path, name: str) -> np.ndarray:
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, is_fortran, dtype = read(file)
    except (KeyError, ValueError, TypeError, SyntaxError) as error:
        raise CorruptDatasetError(
            path, f"'{name}' must be an array, got {shown(str(error))}"
        ) from error
    size = math.prod(shape) if min(shape, default=0) >= 0 else -1
    rest = len(content) - file.tell()
    if dtype.kind not in _KINDS or size * dtype.itemsize != rest:
        raise CorruptDatasetError(
            path,
            f"'{name}' must hold numbers, as many as its shape says, got "
            f'{dtype} of shape {shown(shape)} in {rest} bytes',
        )
    flat = np.frombuffer(content, dtype, offset=file.tell())
    # A copy, which can be written to, in the byte order of this machine.
    value = flat.reshape(shape, order='F' if is_fortran else 'C')
    return value.astype(dtype.newbyteorder('='))
