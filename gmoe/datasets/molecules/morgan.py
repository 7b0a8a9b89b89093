"""The circular substructures of Morgan that molecules are compared by."""

from __future__ import annotations

from typing import Any

from gmoe.common.require import require

#: The bonds that a substructure reaches, and the number of bits or counts
#: that substructures are folded into.
RADIUS = 2
NUM_BITS = 2048


def morgan_generator() -> Any:
    """RDKit's generator of fingerprints of these substructures (`Rogers and
    Hahn, 2010 <https://doi.org/10.1021/ci100050t>`_).

    Raises:
        ImportError: If RDKit is not installed.
    """
    module = require('rdkit.Chem.rdFingerprintGenerator', 'mol')
    return module.GetMorganGenerator(radius=RADIUS, fpSize=NUM_BITS)
