"""Molecules of SMILES strings, with the codes of OGB's datasets."""

from __future__ import annotations

import torch
from torch_geometric.data import Data

from gmoe.common.shown import shown
from gmoe.datasets.molecules.codes import codes
from gmoe.datasets.molecules.graphs import whole_data
from gmoe.datasets.molecules.molecule import read
from gmoe.nn.encoders.ogb_codes import FEATURIZATION


def from_smiles(smiles: str) -> Data:
    r"""Makes a graph of a SMILES string in the way that the molecule
    datasets of the `"Open Graph Benchmark"
    <https://arxiv.org/abs/2005.00687>`_ were made, for a network that was
    trained on one of them, in the order of the atoms as they are written::

        from gmoe.datasets import from_smiles

        out, _ = model(from_smiles('CCO'))

    Own molecules are made by the same code, of their canonical forms:
    :func:`gmoe.datasets.molecules.graphs_of`. The codes of PyG's
    :func:`~torch_geometric.utils.from_smiles` are other ones. Needs RDKit,
    ``pip install "gmoe[mol]"``.

    Args:
        smiles: The SMILES string. Hydrogens are left implicit.

    Shapes:
        - **graph:** :obj:`x` :math:`(|V|, 9)`, :obj:`edge_index`
          :math:`(2, |E|)` with each bond in both directions,
          :obj:`edge_attr` :math:`(|E|, 3)`, all int64; the string as
          :obj:`smiles`, and the mark :obj:`featurization`, ``'ogb'``

    Raises:
        ImportError: If RDKit is not installed.
        TypeError: If :obj:`smiles` is no string.
        ValueError: If RDKit cannot read it, it has no atom, or OGB has no
            code for one of its bonds.
    """
    if not isinstance(smiles, str):
        raise TypeError(
            f"'smiles' must be a string, got a {type(smiles).__name__}"
        )
    molecule = read(smiles)
    if molecule is None or molecule.GetNumAtoms() == 0:
        raise ValueError(
            "'smiles' must be the SMILES string of at least one atom, which "
            f'RDKit can read, got {shown(smiles)}'
        )
    try:
        x, edge, edge_attr = map(torch.from_numpy, codes(molecule))
    except ValueError as error:
        raise ValueError(
            f"'smiles' must have bonds for which OGB has codes, got "
            f'{shown(smiles)}: {error}'
        ) from error
    return Data(
        **whole_data({'x': x, 'edge': edge, 'edge_attr': edge_attr}).to_dict(),
        smiles=smiles,
        featurization=FEATURIZATION,
    ).contiguous()
