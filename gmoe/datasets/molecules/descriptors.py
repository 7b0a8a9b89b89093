"""Numbers that RDKit computes of whole molecules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from gmoe.common.require import require
from gmoe.datasets.molecules.molecule import read
from gmoe.datasets.molecules.morgan import NUM_BITS, morgan_generator

#: Of a substructure that is there more often, this many are counted.
MAX_COUNT = 255
#: Larger molecules have no information content: it takes cubic time.
MAX_ATOMS = 100
_CUBIC = ('Ipc', 'AvgIpc')
#: Each of them would compute the same indices of all atoms again: a tenth of
#: the time. The rest is spread over many, QED a sixth of it.
_SAME_INDICES = tuple(
    f'{kind}EStateIndex' for kind in ('MaxAbs', 'Max', 'MinAbs', 'Min')
)
#: The largest descriptor; beyond are overflows rather than properties.
MAX_VALUE = 1e6


def descriptor_functions() -> dict[str, Callable[..., Any]]:
    """RDKit's two-dimensional descriptors by their names, in its order."""
    functions = dict(require('rdkit.Chem.Descriptors', 'mol').descList)
    for name in _SAME_INDICES:
        functions[name] = partial(functions[name], force=0)
    return functions


def counts(smiles: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    r"""Counts the circular substructures of molecules.

    Args:
        smiles: The SMILES strings.

    Returns:
        The counts, and which molecules could be read.

    Shapes:
        - **output:** uint8 :math:`(N, 2048)`, and bool :math:`(N)`
    """
    generator = morgan_generator()
    molecules, is_read = _molecules(smiles)
    values = np.zeros((len(smiles), NUM_BITS), np.uint8)
    for i in np.flatnonzero(is_read):
        found = generator.GetCountFingerprintAsNumPy(molecules[i])
        values[i] = found.clip(max=MAX_COUNT)
    return values, is_read


def descriptors(
    names: tuple[str, ...], smiles: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    r"""Computes descriptors of molecules.

    Args:
        names: Their names.
        smiles: The SMILES strings.

    Returns:
        The values, and which molecules could be read.

    Shapes:
        - **output:** float32 :math:`(N, F)`, NaN where undefined, and bool
          :math:`(N)`
    """
    functions = descriptor_functions()
    molecules, is_read = _molecules(smiles)
    values = np.full((len(smiles), len(names)), np.nan)
    with require('rdkit.rdBase', 'mol').BlockLogs():
        for i in np.flatnonzero(is_read):
            for column, name in enumerate(names):
                values[i, column] = _value(name, functions[name], molecules[i])
    values[~np.isfinite(values)] = np.nan
    return values.clip(-MAX_VALUE, MAX_VALUE).astype(np.float32), is_read


def _value(name: str, function: Callable[..., Any], molecule: Any) -> float:
    if name in _CUBIC and molecule.GetNumAtoms() > MAX_ATOMS:
        return np.nan
    try:
        value = float(function(molecule))
    except (ValueError, ArithmeticError, RuntimeError, IndexError):
        # Such as of charges that do not converge, or of elements that a
        # descriptor does not know.
        return np.nan
    return np.log1p(value) if name == 'Ipc' else value


def _molecules(smiles: Sequence[str]) -> tuple[list[Any], np.ndarray]:
    molecules = [read(text) for text in smiles]
    is_read = np.array([bool(m and m.GetNumAtoms()) for m in molecules])
    return molecules, is_read
