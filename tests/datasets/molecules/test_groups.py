import numpy as np
import pytest

from gmoe.datasets.molecules.groups import (
    molecules,
    scaffolds,
    targets_order,
)

pytest.importorskip('rdkit')


def lists(groups):
    return [group.tolist() for group in groups]


def test_molecules():
    assert lists(molecules(['C', 'CC', 'C', 'O'])) == [[0, 2], [1], [3]]


def test_scaffolds():
    smiles = ['Cc1ccccc1', 'CCO', 'OC1CCCCC1', 'Oc1ccccc1', 'C']
    assert lists(scaffolds(smiles)) == [[0, 3], [1, 4], [2]]


def test_scaffolds_have_chirality():
    smiles = ['C1CCC[C@H]1N1CCCC1', 'C1CCC[C@@H]1N1CCCC1']
    assert len(scaffolds(['CC' + text for text in smiles])) >= 1


def test_order_of_targets():
    groups = [np.array([i]) for i in range(6)]
    common, rare = [0, 1, 0, 1, 0, 1], [0, 0, 0, 0, 1, np.nan]
    y = np.array([common, rare]).T
    assert targets_order(groups, y).tolist() == [0, 2, 1, 3, 4, 5]
    groups = [np.array([0, 1]), np.array([2])]
    y = np.array([[1.0], [5.0], [2.0]])
    assert targets_order(groups, y).tolist() == [1, 0]
