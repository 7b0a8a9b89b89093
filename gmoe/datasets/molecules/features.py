"""Features of whole molecules: descriptors of RDKit, counts of substructures,
and columns of a table."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gmoe.common.require import require
from gmoe.common.shown import shown
from gmoe.datasets.cache import TensorCache
from gmoe.datasets.molecules.descriptors import (
    counts,
    descriptor_functions,
    descriptors,
)
from gmoe.datasets.molecules.feature_columns import check_columns, columns_in
from gmoe.datasets.molecules.morgan import NUM_BITS
from gmoe.datasets.molecules.parallel import FEW as FEW_GRAPHS
from gmoe.datasets.molecules.parallel import default_workers, map_chunks

#: RDKit's 217 two-dimensional descriptors, and Morgan's counts.
DESCRIPTORS, COUNTS = KINDS = ('descriptors', 'counts')
#: Fewer molecules are not worth other processes; how many one takes at once.
FEW, CHUNK = 200, 50
#: Part of a cache's key: a new way to compute features makes old ones void.
FORMAT_VERSION = 1


class MoleculeFeatures:
    """Computes features of whole molecules, beside their graphs.

    - ``'descriptors'``: all of RDKit's ``rdkit.Chem.Descriptors``, such as
      weight, polar surface and the octanol-water partition. ``Ipc``, which
      has up to two hundred digits, is given as :math:`\\log(1 + x)`, and what
      is beyond a million is cut there. ``Ipc`` and ``AvgIpc`` of more than
      100 atoms are undefined.
    - ``'counts'``: how often each of the circular substructures of radius 2
      is there (Morgan), folded into 2,048 counts of at most 255 (`Rogers and
      Hahn, 2010 <https://doi.org/10.1021/ci100050t>`_).

    What is undefined for a molecule is NaN: what RDKit cannot compute or
    gives as infinite, and all of a molecule that it cannot read. Needs RDKit.

    Columns of a table, such as a temperature, stand behind what is computed.

    Args:
        kinds: Which ones, in this order. There may be none with columns.
        columns: The names of the columns.

    Raises:
        ValueError: If one is not known or given twice.
    """

    def __init__(
        self,
        kinds: Sequence[str] = (DESCRIPTORS,),
        columns: Sequence[str] = (),
    ) -> None:
        #: The names of the columns of a table.
        self.columns = check_columns(columns)
        if (
            isinstance(kinds, str)
            or not (len(kinds) or self.columns)
            or not all(kind in KINDS for kind in kinds)
            or len(set(kinds)) != len(kinds)
        ):
            raise ValueError(
                f"'features' must be a list of some of {list(KINDS)}, got "
                f'{shown(kinds)}'
            )
        self.kinds = tuple(kinds)
        self._descriptors: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        columns = f', {list(self.columns)}' if self.columns else ''
        return f'{type(self).__name__}({list(self.kinds)}{columns})'

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features, in their order."""
        names: list[str] = []
        for kind in self.kinds:
            names += self._names(kind)
        return (*names, *self.columns)

    def _names(self, kind: str) -> list[str]:
        if kind == COUNTS:
            return [f'morgan_{i}' for i in range(NUM_BITS)]
        if self._descriptors is None:
            self._descriptors = tuple(descriptor_functions())
        return list(self._descriptors)

    def compute(
        self,
        smiles: Sequence[str],
        num_workers: int | None = None,
        is_kept: bool = False,
        cache_dir: str | Path | None = None,
        columns: np.ndarray | None = None,
    ) -> np.ndarray:
        r"""Computes the features.

        Args:
            smiles: The SMILES strings.
            num_workers: The number of processes, `0` for none beside this
                one. (default: one for each core, none for few molecules)
            is_kept: Whether the features are kept in the cache, by the
                content of ``smiles`` and RDKit's version.
            cache_dir: The folder of the cache. (default: the environment
                variable :obj:`GMOE_CACHE_DIR`, or the user's folder of
                caches)
            columns: The values of the columns, of shape :math:`(N, C)`, if
                there are some.

        Raises:
            ValueError: If they are not there, or of another shape.

        Shapes:
            - **output:** float32 :math:`(N, F)`, NaN where undefined
        """
        shape = (len(smiles), len(self.columns))
        given = () if columns is None else np.shape(columns)
        if self.columns and given != shape:
            raise ValueError(
                f"'columns' must be values of {shown(list(self.columns))} of "
                f'shape {shape}, got '
                + ('none' if columns is None else f'the shape {given}')
            )
        parts = []
        for kind in self.kinds:
            names = tuple(self._names(kind))
            make = partial(_compute, kind, names, smiles, num_workers)
            if is_kept:
                cache = _cache(kind, names, smiles, cache_dir)
                tensors = cache.get(make)
            else:
                tensors = make()
            part = tensors['values'].numpy().astype(np.float32)
            part[~tensors['is_read'].numpy()] = np.nan
            parts.append(part)
        if self.columns:
            parts.append(_narrow(np.asarray(columns)))
        return np.concatenate(parts, axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as plain values, which JSON can hold, with
        the version of RDKit and the names of its descriptors."""
        names = self._names(DESCRIPTORS) if DESCRIPTORS in self.kinds else []
        settings = {
            'kinds': list(self.kinds),
            'descriptors': names,
            'rdkit': _version(),
        }
        if self.columns:
            settings['columns'] = list(self.columns)
        return settings

    @classmethod
    def from_dict(cls, d: Any) -> MoleculeFeatures:
        """Makes it of what :meth:`to_dict` has returned, and warns where
        RDKit has another version now, which may give other values.

        Args:
            d: The settings, as a file may hold them that somebody else has
                written.

        Raises:
            ValueError: If they are not what they must be, or RDKit does not
                have one of the descriptors any more.
        """
        known = {'kinds', 'descriptors', 'rdkit'}
        if not isinstance(d, dict) or d.keys() - {'columns'} != known:
            raise ValueError(
                "The features' settings must be a dictionary of "
                f'{sorted(known)}, got {shown(d)}'
            )
        kinds = d['kinds'] if isinstance(d['kinds'], list) else ()
        features = cls(kinds, columns_in(d))
        names = d['descriptors']
        available = descriptor_functions()
        if not isinstance(names, list) or (
            bool(names) != (DESCRIPTORS in features.kinds)
        ):
            raise ValueError(
                f"'descriptors' must be a list of names, got {shown(names)}"
            )
        for name in names:
            if not isinstance(name, str) or name not in available:
                raise ValueError(
                    f"'descriptors' must be those of RDKit {_version()}, got "
                    f'{shown(name)} of RDKit {shown(d["rdkit"])}'
                )
        features._descriptors = tuple(names) or None
        if kinds and d['rdkit'] != _version():
            warnings.warn(
                f'The features are of RDKit {shown(d["rdkit"])}, and this is '
                f'{_version()}: some may have other values',
                stacklevel=2,
            )
        return features


def _narrow(values: np.ndarray) -> np.ndarray:
    # Of single precision, some would be infinite.
    most = np.finfo(np.float32).max
    return values.clip(-most, most).astype(np.float32)


def _version() -> str:
    return require('rdkit', 'mol').__version__


def _cache(
    kind: str,
    names: tuple[str, ...],
    smiles: Sequence[str],
    cache_dir: str | Path | None,
) -> TensorCache:
    digest = hashlib.sha256(
        f'{FORMAT_VERSION} {_version()} {kind} {names}'.encode()
    )
    for text in smiles:
        digest.update(f'\n{text}'.encode())
    return TensorCache.by_content(
        f'molecule-{kind}', digest.hexdigest(), cache_dir
    )


def _compute(
    kind: str,
    names: tuple[str, ...],
    smiles: Sequence[str],
    num_workers: int | None,
) -> dict[str, torch.Tensor]:
    function = counts
    dtype = torch.uint8
    if kind == DESCRIPTORS:
        function, dtype = partial(descriptors, names), torch.float32
    title = f'Computes {kind}'
    values = [torch.empty(0, len(names), dtype=dtype)]
    is_read = [torch.empty(0, dtype=torch.bool)]
    if num_workers is None and len(smiles) >= FEW:
        num_workers = default_workers(FEW_GRAPHS)
    for part, good in map_chunks(function, smiles, num_workers, title, CHUNK):
        values.append(torch.from_numpy(part))
        is_read.append(torch.from_numpy(good))
    return {'values': torch.cat(values), 'is_read': torch.cat(is_read)}
