"""Refuses molecules whose codes are not OGB's with a :obj:`ValueError`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

#: What :func:`gmoe.datasets.from_smiles` marks its graphs with.
FEATURIZATION = 'ogb'

_MEND = 'make molecules with gmoe.datasets.from_smiles'

# Codes of elements without a bond through d orbitals: boron to neon, argon,
# krypton, xenon, which is what PyG's halogens are read as. And those of the
# hybridisations SP3D and SP3D2.
_NO_D = (4, 5, 6, 7, 8, 9, 17, 35, 53)
_EXPANDED = (3, 4)


def check_atoms(x: Tensor) -> None:
    r"""Refuses atoms with the codes of PyG's
    :func:`~torch_geometric.utils.from_smiles`, most of which are in the range
    of OGB's, and mean something else.

    Read as OGB's, its carbon with :math:`sp^3` orbitals is nitrogen with
    :math:`sp^3d^2` ones, and its chlorine argon. No atom from boron to neon
    has d orbitals to offer, and noble gases hardly bond: where more than half
    of all atoms do, the codes are not OGB's. It needs to be so many for
    features that are drawn at random to be let through. Looked at on the CPU
    only.

    Args:
        x: Atom features in the ranges of
            :obj:`~gmoe.nn.ATOM_FEATURE_DIMS`, int64 :math:`(N, 9)`.
    """
    if torch.compiler.is_compiling() or x.device.type != 'cpu':
        return
    element, orbitals = x[:, 0], x[:, 6]
    odd = torch.isin(element, torch.tensor(_NO_D))
    odd &= (orbitals >= _EXPANDED[0]) & (orbitals <= _EXPANDED[1])
    count = int(odd.sum())
    if 2 * count > x.size(0):
        raise ValueError(
            "'x' must hold the codes of OGB's atom features, got those of "
            f'another origin, such as PyG: {count} of {x.size(0)} atoms would'
            f' be boron to neon, or noble, with d orbitals; {_MEND}'
        )


def check_featurization(data: Any) -> None:
    r"""Refuses molecules that were made of SMILES strings by something else:
    graphs with :obj:`smiles`, as PyG makes them, that lack the mark
    :obj:`featurization` of :func:`gmoe.datasets.from_smiles`, or have another
    one. PyG keeps both through batching and in processed files.

    Args:
        data: A graph or a batch of graphs.
    """
    mark = data.get('featurization')
    if mark is None:
        if data.get('smiles') is None:
            return
        got = "'smiles' without it, as of PyG's from_smiles"
    else:
        marks = {mark} if isinstance(mark, str) else set(mark)
        if marks <= {FEATURIZATION}:
            return
        got = str(sorted(map(str, marks)))[:60]
    raise ValueError(
        f"'featurization' of the data must be {FEATURIZATION!r}, as the codes"
        f' of atoms and bonds that the network reads, got {got}; {_MEND}, or '
        f"set it where the codes are OGB's"
    )
