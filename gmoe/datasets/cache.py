"""A cache of tensors on disk: no pickle, never half-made, never stale."""

from __future__ import annotations

import contextlib
import hashlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from gmoe.common.files import (
    is_writable,
    make_dirs,
    remove_empty,
    remove_stale,
    replacing,
)

Tensors = dict[str, Tensor]


class TensorCache:
    """Holds tensors that take long to make.

    They are kept in ``cache_dir`` if one is given. Otherwise, they are kept
    in the folder ``processed`` of the dataset where that can be written, and
    in the user's folder of caches where not.

    Args:
        folder: The folder of the dataset. Where ``cache_dir`` is given, only
            its name counts, as that of the file.
        fingerprint: A hash of everything that the tensors are made from.
        cache_dir: The folder of caches. The dataset's own folder is neither
            read nor written then.
        is_given: Whether somebody has asked for ``cache_dir``, who is told
            if it cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        fingerprint: str,
        cache_dir: Path | None = None,
        is_given: bool = True,
    ) -> None:
        # Copies of a dataset share a folder of caches and may differ, hence
        # the fingerprint in the name there.
        name = f'{folder.name}-{fingerprint[:16]}.pt'
        self.fingerprint = fingerprint
        self._given = cache_dir if is_given else None
        if cache_dir is not None:
            self.paths = self._writable = [cache_dir / name]
            return
        own, other = folder / 'processed', default_cache_dir() / name
        self.paths = [own / 'gmoe.pt', other]
        self._writable = self.paths
        if not is_writable(folder, own):
            self._writable = [other]

    @classmethod
    def by_content(
        cls,
        name: str,
        fingerprint: str,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> TensorCache:
        """Makes the cache of tensors that belong to no folder of a dataset.

        Args:
            name: What its file is called, with a folder if need be.
            fingerprint: A hash of everything that the tensors are made from.
            cache_dir: The folder of caches. (default: the environment
                variable :obj:`GMOE_CACHE_DIR`, or the user's folder)
        """
        given = given_cache_dir(cache_dir)
        path = (given or default_cache_dir()) / name
        return cls(path, fingerprint, path.parent, given is not None)

    def get(self, make: Callable[[], Tensors]) -> Tensors:
        """Returns the tensors, which are made and kept if need be.

        Args:
            make: Makes the tensors.

        Raises:
            ValueError: If the tensors are to be made, and the folder that was
                asked for cannot be written.
        """
        tensors = self.load()
        if tensors is None:
            if self._given is not None:
                _check_given(self._given)
            tensors = make()
            self.save(tensors)
        return tensors

    def load(self) -> Tensors | None:
        """Returns the tensors, or :obj:`None` without a valid cache."""
        for path in self._writable:
            remove_stale(path.parent)
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
            created: list[Path] = []
            try:
                created = make_dirs(path.parent)
                # Opened here, since PyTorch reports a folder that cannot be
                # written in several ways.
                with replacing(path) as file:
                    torch.save(out, file)
                return path
            except BaseException as e:
                remove_empty(created)
                # torch raises the latter.
                if not isinstance(e, (OSError, RuntimeError)):
                    raise
                error = e
        warnings.warn(
            f'Could not write a cache to any of '
            f'{[str(path) for path in self._writable]} ({error}). What it '
            f'holds will be made again next time',
            stacklevel=4,
        )
        return None


def given_cache_dir(cache_dir: str | os.PathLike[str] | None) -> Path | None:
    """Returns the folder of caches that was asked for, by an argument or by
    the environment variable ``GMOE_CACHE_DIR``, if any.
    """
    given = cache_dir or os.environ.get('GMOE_CACHE_DIR')
    return Path(given).expanduser() if given else None


def default_cache_dir() -> Path:
    """Returns the folder of caches where none is given."""
    base = os.environ.get('XDG_CACHE_HOME')
    if base and os.path.isabs(base):
        return Path(base) / 'gmoe'
    try:
        return Path.home() / '.cache' / 'gmoe'
    except RuntimeError:
        # A user without a home has nowhere to keep anything: below this,
        # nothing can be written.
        return Path(os.devnull) / 'gmoe'


def _check_given(folder: Path) -> None:
    reason = 'it cannot be written'
    try:
        created = make_dirs(folder)
        remove_empty(created)
        if created or is_writable(folder):
            return
    except OSError as error:
        reason = error.strerror or reason
    raise ValueError(
        f"'cache_dir' must be a folder that can be written, got '{folder}': "
        f'{reason}'
    )


def _digest(tensors: Tensors) -> str:
    # PyTorch reads a file without comparing its checksums.
    digest = hashlib.sha256()
    for key in sorted(tensors):
        value = tensors[key].contiguous()
        digest.update(f'{key} {value.dtype} {list(value.shape)}'.encode())
        digest.update(value.numpy().data)
    return digest.hexdigest()
