"""Molecules of SMILES strings, with the codes of OGB's datasets."""

from __future__ import annotations

from typing import Any

import torch
from torch_geometric.data import Data

from gmoe.common.require import require
from gmoe.common.shown import shown
from gmoe.datasets.ogb.info import import_ogb
from gmoe.nn.encoders.ogb_codes import FEATURIZATION


def from_smiles(smiles: str) -> Data:
    r"""Makes a graph of a SMILES string in the way that the molecule
    datasets of the `"Open Graph Benchmark"
    <https://arxiv.org/abs/2005.00687>`_ were made, for a network that was
    trained on one of them::

        from gmoe.datasets import from_smiles

        out, _ = model(from_smiles('CCO'))

    The codes of PyG's :func:`~torch_geometric.utils.from_smiles` are other
    ones. Needs RDKit, ``pip install "gmoe[mol]"``.

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
    chem = require('rdkit.Chem', 'mol')
    # The error below says what is wrong, without RDKit's lines on stderr.
    with require('rdkit.rdBase', 'mol').BlockLogs():
        molecule = chem.MolFromSmiles(smiles)
    if molecule is None or molecule.GetNumAtoms() == 0:
        raise ValueError(
            "'smiles' must be the SMILES string of at least one atom, which "
            f'RDKit can read, got {shown(smiles)}'
        )
    features = import_ogb('ogb.utils.features')
    x = [features.atom_to_feature_vector(a) for a in molecule.GetAtoms()]
    edges: list[tuple[int, int]] = []
    edge_attr: list[list[int]] = []
    for bond in molecule.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        edges += [(i, j), (j, i)]
        edge_attr += [_bond_codes(features, bond, smiles)] * 2
    return Data(
        x=torch.tensor(x),
        edge_index=torch.tensor(edges, dtype=torch.long).view(-1, 2).t(),
        edge_attr=torch.tensor(edge_attr, dtype=torch.long).view(-1, 3),
        smiles=smiles,
        featurization=FEATURIZATION,
    ).contiguous()


def _bond_codes(features: Any, bond: Any, smiles: str) -> list[int]:
    try:
        return features.bond_to_feature_vector(bond)
    except ValueError as error:
        known = features.allowable_features['possible_bond_stereo_list']
        raise ValueError(
            f"'smiles' must have bonds with a stereo of {known}, for which "
            f'OGB has codes, got {bond.GetStereo()} in {shown(smiles)}'
        ) from error
