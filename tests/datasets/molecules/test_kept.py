"""Molecules that can be learned from are kept, others are not."""

import numpy as np
import pytest

from gmoe.datasets.molecules.info import MoleculeInfo
from gmoe.datasets.molecules.kept import check_kept, choose
from gmoe.datasets.molecules.molecule import Molecule, Refused
from gmoe.datasets.molecules.table import MoleculeTable

VALUE = MoleculeInfo(('a',), 'regression', None)
CLASS = MoleculeInfo(('a',), 'multiclass classification', ('u', 'v', 'w'))
FOUND = [Molecule('C'), Refused('no'), Molecule('CC'), Molecule('CCC')]


def table(y, info=VALUE, split=None):
    smiles = [f'written {i}' for i in range(4)]
    return MoleculeTable(smiles, [2, 3, 5, 6], np.array(y), None, split, info)


@pytest.mark.parametrize(('info', 'missing'), [(VALUE, np.nan), (CLASS, -1.0)])
def test_labels(info, missing):
    kept = choose(table([[1.0], [1.0], [missing], [0.0]], info), FOUND)
    assert kept.positions == [0, 3]
    assert kept.canonical == ['C', 'CCC']
    assert kept.skipped == [
        (3, 'written 1', 'no'),
        (5, 'written 2', 'no label'),
    ]


def test_one_label_of_several_will_do():
    y = [[np.nan, 1], [1, 1], [np.nan, np.nan], [1, np.nan]]
    info = MoleculeInfo(('a', 'b'), 'regression', None)
    assert choose(table(y, info), FOUND).positions == [0, 3]


def test_parts():
    split = ['train', 'train', '', 'test']
    kept = choose(table([[1.0]] * 4, split=split), FOUND)
    assert kept.positions == [0, 3]
    assert kept.skipped[1] == (5, 'written 2', 'in no part of the split')


def test_what_can_be_learned_from():
    y = np.arange(20.0)[:, None]
    check_kept(y, VALUE, 0)
    with pytest.raises(ValueError, match='got 2: 7 are left out'):
        check_kept(y[:2], VALUE, 7)
    with pytest.raises(ValueError, match="target 'a' must have several"):
        check_kept(np.ones((20, 1)), VALUE, 0)
