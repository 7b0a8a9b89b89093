"""Clusters of molecules that look alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from gmoe.datasets.molecules.groups import Groups, molecules
from gmoe.datasets.molecules.molecule import read
from gmoe.datasets.molecules.morgan import NUM_BITS, morgan_generator
from gmoe.datasets.molecules.parallel import map_chunks

#: The least Tanimoto similarity of a molecule to the centre of its cluster.
SIMILARITY = 0.35
#: The most molecules: the time grows with the square of their number.
MAX_MOLECULES = 200_000
_ROWS = 256


def clusters(smiles: Sequence[str], similarity: float = SIMILARITY) -> Groups:
    """Groups molecules by the algorithm of Butina (`1999
    <https://doi.org/10.1021/ci9803381>`_): the molecule with most neighbours
    is the centre of a cluster of these, and so on with what is left. As of
    RDKit, but in memory that grows with the number of molecules alone.

    Args:
        smiles: The canonical SMILES strings.
        similarity: The least Tanimoto similarity of neighbours, of Morgan
            fingerprints of radius 2.

    Raises:
        ValueError: If there are too many molecules.
    """
    copies = molecules(smiles)
    if len(copies) > MAX_MOLECULES:
        raise ValueError(
            f"'cluster' must split at most {MAX_MOLECULES} molecules, got "
            f"{len(copies)}: take 'scaffold'"
        )
    bits = _fingerprints([smiles[group[0]] for group in copies])
    other = bits.T.tocsr()
    size = np.diff(bits.indptr)
    count = np.concatenate(
        [
            np.bincount(
                _neighbors(bits, other, size, start, similarity)[0],
                minlength=min(_ROWS, len(copies) - start),
            )
            for start in range(0, len(copies), _ROWS)
        ]
    )
    free = np.ones(len(copies), dtype=bool)
    found = []
    # Of two with as many neighbours the last one, as RDKit has it.
    for i in np.lexsort([np.arange(len(copies)), count])[::-1]:
        if free[i]:
            _, near = _neighbors(
                bits[i], other, size, 0, similarity, size[i : i + 1]
            )
            near = np.append(near[free[near]], i)
            near = np.unique(near)
            free[near] = False
            found.append(np.sort(np.concatenate([copies[j] for j in near])))
    return sorted(found, key=lambda group: group[0])


def _neighbors(
    bits: Any,
    other: Any,
    size: np.ndarray,
    start: int,
    similarity: float,
    own: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of a row, from the start on, and one as similar as that."""
    if own is None:
        bits, own = bits[start : start + _ROWS], size[start : start + _ROWS]
    shared = (bits @ other).tocoo()
    union = own[shared.row] + size[shared.col] - shared.data
    is_near = shared.data >= similarity * union
    return shared.row[is_near], shared.col[is_near]


def _fingerprints(smiles: list[str]) -> Any:
    parts = list(map_chunks(_on_bits, smiles, label='Fingerprints'))
    indices = [on for part in parts for on in part]
    indptr = np.cumsum([0, *map(len, indices)])
    flat = np.concatenate(indices) if indices else np.empty(0, int)
    ones = np.ones(len(flat), dtype=np.int32)
    return sparse.csr_array(
        (ones, flat, indptr), shape=(len(smiles), NUM_BITS)
    )


def _on_bits(smiles: list[str]) -> list[np.ndarray]:
    generator = morgan_generator()
    return [
        np.array(list(generator.GetFingerprint(read(text)).GetOnBits()), int)
        for text in smiles
    ]
