"""How similar the nearest molecule of the training is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from gmoe.common.require import require
from gmoe.datasets.molecules.molecule import read
from gmoe.datasets.molecules.morgan import NUM_BITS, morgan_generator

#: The bytes of a fingerprint that is packed.
NUM_BYTES = NUM_BITS // 8


def fingerprints(smiles: Iterable[str]) -> np.ndarray:
    """Morgan fingerprints by RDKit, packed: those of a million molecules
    take 256 MB.

    Args:
        smiles: SMILES strings. Those that RDKit cannot read are left out.

    Returns:
        Bytes, of shape ``[n, 256]``.

    Raises:
        ImportError: If RDKit is not installed.
    """
    pack = require('rdkit.DataStructs', 'mol').BitVectToBinaryText
    made = [pack(bits) for bits in _bits(smiles) if bits is not None]
    packed = np.frombuffer(b''.join(made), dtype=np.uint8)
    return packed.reshape(len(made), NUM_BYTES)


class NearestMolecule:
    """The Tanimoto similarity of molecules to the nearest one of some others,
    on Morgan fingerprints of radius 2 and 2,048 bits, by RDKit.

    It is 1 for a molecule that is among them, and for some that differ in
    their stereo centres or the length of a chain only. Below about 0.4, a
    molecule is far away from all of them.

    Args:
        packed: Their fingerprints, as :func:`fingerprints` makes them.

    Raises:
        ImportError: If RDKit is not installed.
        ValueError: If they are none.
    """

    def __init__(self, packed: np.ndarray) -> None:
        packed = np.ascontiguousarray(packed)
        if packed.dtype != np.uint8 or packed.shape[1:] != (NUM_BYTES,):
            raise ValueError(
                f"'packed' must be bytes of shape [molecules, {NUM_BYTES}], "
                f'got {packed.dtype} of shape {packed.shape}'
            )
        read = require('rdkit.DataStructs', 'mol').CreateFromBinaryText
        self._known = [read(row.tobytes()) for row in packed]

    def similarity(self, smiles: Sequence[str]) -> np.ndarray:
        """The similarity of each molecule to the nearest one.

        Args:
            smiles: SMILES strings.

        Returns:
            Numbers from 0 to 1, of shape ``[n]``; NaN if RDKit cannot read it
            or there are no others.
        """
        # One molecule at a time: no table of all pairs.
        found = [self._most(bits) for bits in _bits(smiles)]
        return np.array(found, dtype=np.float64)

    def _most(self, bits: Any) -> float:
        if bits is None:
            return np.nan
        compare = require('rdkit.DataStructs', 'mol').BulkTanimotoSimilarity
        return max(compare(bits, self._known), default=np.nan)


def _bits(smiles: Iterable[str]) -> Iterator[Any]:
    generator = morgan_generator()
    for text in smiles:
        molecule = read(text)
        yield None if molecule is None else generator.GetFingerprint(molecule)
