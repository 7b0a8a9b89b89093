import numpy as np

from gmoe.datasets.molecules.copies import describe_copies

SMILES = ['C', 'CC', 'C', 'O', 'CC', 'CC']
ROW = [2, 3, 4, 5, 6, 7]
Y = np.array([[1.0], [0], [1], [0], [np.nan], [0]])


def test_no_copies():
    assert describe_copies(['C', 'CC'], [2, 3], np.zeros((2, 1))) == []


def test_copies_that_agree():
    (said,) = describe_copies(SMILES, ROW, Y)
    assert said == '3 rows are copies of 2 molecules: kept'


def test_other_labels():
    y = Y.copy()
    y[5] = 1
    said = describe_copies(SMILES, ROW, y)
    assert said[1].startswith('  with several labels for the same target: 1 ')
    assert '[3, 6, 7]' in said[1]


def test_leaks():
    parts = ['train', 'train', 'test', 'train', 'train', 'train']
    said = describe_copies(SMILES, ROW, Y, parts)
    assert said[1].startswith('  LEAK: in several parts of the split: 1 of ')
    assert '[2, 4]' in said[1]
