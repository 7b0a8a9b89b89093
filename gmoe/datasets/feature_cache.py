"""A cache of tables of features on disk, by what they are made of."""

import contextlib
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gmoe.datasets.files import make_dirs, remove_stale, temporary_file


def cached_table(
    folder: Path,
    key: str,
    shape: tuple[int, int] | None,
    make: Callable[[], Tensor],
) -> Tensor:
    """Returns a table from the cache, or makes it and keeps it there.

    It is kept as an array of NumPy without pickles, in an archive whose
    checksum is compared when it is read.

    Args:
        folder (pathlib.Path): The folder of the cache.
        key (str): What changes with anything the table is made of.
        shape (Tuple[int, int], optional): What the table needs to be of.
        make (callable): Makes the table.
    """
    path = folder / f'{key}.npz'
    remove_stale(folder)
    # A file that is not a valid cache is one to be made anew, whatever the
    # reason.
    with contextlib.suppress(Exception):
        with np.load(path, allow_pickle=False) as archive:
            table = torch.from_numpy(archive['table'])
        if table.dtype == torch.float and shape in (None, tuple(table.shape)):
            return table
    table = make()
    try:
        make_dirs(folder)
        with temporary_file(path) as f:
            np.savez(f, table=table.numpy())
    except OSError as e:
        warnings.warn(
            f"Could not write the cache '{path}' ({e}). Its content will be "
            f'made again next time',
            stacklevel=2,
        )
    return table
