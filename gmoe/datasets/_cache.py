"""A cache of tensors on disk: no pickle, never half-made, never stale."""

import contextlib
import hashlib
import os
import stat
import uuid
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

Tensors = dict[str, Tensor]


class TensorCache:
    r"""Holds the tensors made of a dataset's raw files.

    They are kept in :obj:`folder/processed` where that can be written, and
    in :obj:`fallback` otherwise. A folder whose mode has no write bit for
    anyone counts as one that cannot be written, whoever asks: its owner
    meant it to stay as it is, and an administrator could write anyhow.

    Args:
        folder (pathlib.Path): The folder of the dataset.
        fallback (pathlib.Path): The folder of caches.
        fingerprint (str): What a valid cache is made of.
    """

    def __init__(
        self,
        folder: Path,
        fallback: Path,
        fingerprint: str,
    ) -> None:
        processed = folder / 'processed'
        # Copies of a dataset share the fallback and may differ, hence the
        # fingerprint in the name there.
        self.paths = [
            processed / 'gmoe.pt',
            fallback / f'{folder.name}-{fingerprint[:16]}.pt',
        ]
        self.fingerprint = fingerprint
        self._writable = [
            path
            for path in self.paths
            if path.parent != processed or _is_writable(folder, processed)
        ]

    def load(self) -> Tensors | None:
        """Returns the tensors, or :obj:`None` without a valid cache."""
        for path in self.paths:
            # A file that is not a valid cache is one to be made anew,
            # whatever the reason.
            with contextlib.suppress(Exception):
                out = torch.load(path, weights_only=True)
                tensors = out['tensors']
                if out['fingerprint'] == self.fingerprint and out[
                    'digest'
                ] == _digest(tensors):
                    return tensors
        return None

    def save(self, tensors: Tensors) -> Path | None:
        """Writes the tensors; returns where, or :obj:`None` if nowhere."""
        out = {
            'fingerprint': self.fingerprint,
            'digest': _digest(tensors),
            'tensors': tensors,
        }
        error: OSError | RuntimeError | None = None
        for path in self._writable:
            try:
                _write(out, path)
            except (OSError, RuntimeError) as e:  # torch raises the latter.
                error = e
            else:
                return path
        warnings.warn(
            f'Could not write a cache to any of '
            f'{[str(path) for path in self._writable]} ({error}). The raw '
            f'files will be read again next time',
            stacklevel=3,
        )
        return None


def default_cache_dir() -> Path:
    """Returns the folder of caches where none is given."""
    base = os.environ.get('XDG_CACHE_HOME')
    if not base or not os.path.isabs(base):
        return Path.home() / '.cache' / 'gmoe'
    return Path(base) / 'gmoe'


def _is_writable(*folders: Path) -> bool:
    """Returns whether those of the folders that exist can be written."""
    write = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
    return all(
        folder.stat().st_mode & write and os.access(folder, os.W_OK)
        for folder in folders
        if folder.exists()
    )


def _digest(tensors: Tensors) -> str:
    # PyTorch reads a file without comparing its checksums.
    digest = hashlib.sha256()
    for key in sorted(tensors):
        value = tensors[key].contiguous()
        digest.update(f'{key} {value.dtype} {list(value.shape)}'.encode())
        digest.update(value.numpy().data)
    return digest.hexdigest()


def _write(out: Mapping[str, object], path: Path) -> None:
    created = make_dirs(path.parent)
    # The name is unique, for processes that prepare the same dataset at
    # once not to write into the file of one another: the last one wins.
    temporary = path.parent / f'.{path.name}-{uuid.uuid4().hex}.tmp'
    try:
        # Opened here, since PyTorch reports a folder that cannot be
        # written in several ways.
        with temporary.open('xb') as f:
            torch.save(out, f)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        remove_empty(created)
        raise


def make_dirs(folder: Path) -> list[Path]:
    """Makes a folder and its parents; returns those made, deepest first."""
    missing = []
    for parent in [folder, *folder.parents]:
        if parent.exists():
            break
        missing.append(parent)
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def remove_empty(folders: list[Path]) -> None:
    """Removes folders as long as they are empty."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()
