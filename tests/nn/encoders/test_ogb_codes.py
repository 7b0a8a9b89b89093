"""Molecules whose codes are not OGB's, without a network."""

import pytest
import torch
from torch_geometric.data import Data

from gmoe.nn.encoders.ogb_codes import check_atoms, check_featurization


def atoms(*pairs: tuple[int, int]) -> torch.Tensor:
    """Atoms of these elements and hybridisations."""
    x = torch.zeros(len(pairs), 9, dtype=torch.long)
    x[:, [0, 6]] = torch.tensor(pairs)
    return x


def test_more_than_half_with_orbitals_they_cannot_have():
    carbon, odd, sulphur = (5, 2), (6, 4), (15, 4)
    check_atoms(atoms(carbon, sulphur, sulphur))
    check_atoms(atoms(carbon, odd))
    with pytest.raises(ValueError, match='such as PyG: 2 of 3 atoms'):
        check_atoms(atoms(carbon, odd, odd))


def test_marks():
    check_featurization(Data())
    check_featurization(Data(smiles='C', featurization='ogb'))
    check_featurization(Data(featurization=['ogb', 'ogb']))
    with pytest.raises(ValueError, match="be 'ogb', .* got 'smiles' without"):
        check_featurization(Data(smiles='C'))
    with pytest.raises(ValueError, match=r"got \['morgan', 'ogb'\]"):
        check_featurization(Data(featurization=['ogb', 'morgan']))
