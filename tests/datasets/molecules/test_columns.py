import pytest

from gmoe.datasets.molecules.columns import (
    find_smiles,
    kind,
    no_target,
    position,
)
from gmoe.datasets.molecules.values import Column

pytest.importorskip('rdkit')

SMILES = ['CCO', 'c1ccccc1', 'CC(=O)O', 'C(']
NAMES = ['ethanol', 'benzene', 'acid', 'broken']


def column(*cells, name='y'):
    return Column(name, cells, range(2, len(cells) + 2), 'a.csv')


def test_position():
    header = ('smiles', 'logP', 'logS', 'a', 'a')
    assert position(header, 'logS', 'targets') == 2
    with pytest.raises(ValueError, match=r"nearest of \['logP', .*'logp'"):
        position(header, 'logp', 'targets')
    with pytest.raises(ValueError, match=r"one of \['smiles', .*'xyz'"):
        position(header, 'xyz', 'targets')
    with pytest.raises(ValueError, match=r"'logP,logS': several are .*A,B"):
        position(header, 'logP,logS', 'targets')
    with pytest.raises(ValueError, match="got 'logP,logS'$"):
        position(header, 'logP,logS', 'weights')
    with pytest.raises(ValueError, match="'a', of 2 columns"):
        position(header, 'a', 'targets')


@pytest.mark.parametrize(
    ('header', 'expected'),
    [
        (('name', 'smiles'), 1),
        (('name', 'SMILES'), 1),
        (('name', 'Canonical_SMILES'), 1),
        (('name', 'mol'), 1),
        (('structure', 'x'), 1),  # By trying, as that one is of names.
        (('name', 'SMILES of the drug'), 1),
    ],
)
def test_find_smiles(header, expected):
    assert find_smiles(header, [NAMES, SMILES[:3]]) == expected


def test_the_best_of_several_names():
    header = ('canonical_smiles', 'smiles')
    assert find_smiles(header, [SMILES, SMILES]) == 1


def test_no_smiles():
    with pytest.raises(ValueError, match=r"got none among \['a', 'b'\]"):
        find_smiles(('a', 'b'), [NAMES, ['1', '2', '3', '4']])
    with pytest.raises(ValueError, match=r"got \['a', 'b'\]"):
        find_smiles(('a', 'b'), [SMILES[:3], SMILES[:3]])
    with pytest.raises(ValueError, match="the SMILES string 'CCO' in it"):
        find_smiles(('CCO', '1.5'), [SMILES[:3], ['1', '2', '3']])
    with pytest.raises(ValueError, match='got none'):
        find_smiles(('a', 'b'), [['C', 'N', 'C'], ['', '', '']])


@pytest.mark.parametrize(
    ('cells', 'expected'),
    [
        (['', 'nan'], 'blank'),
        (['1', '', '1'], 'constant'),
        (['0', '1', ''], 'binary'),
        (['-1', '1'], 'binary'),
        (['no', 'Yes'], 'binary'),
        (['0.5', '1'], 'numbers'),
        (['0', '1', '2'] * 2, 'classes'),
        (['0', '1', '2'], 'numbers'),
        (['0', '1', '3'] * 2, 'numbers'),
        (['5', '6', '7'] * 2, 'numbers'),
        (['1', '2.5', '7', 'x'], 'numbers'),
        (['yes', 'maybe', 'no'], 'text'),
        (['yes', 'yes'], 'text'),
    ],
)
def test_kind(cells, expected):
    assert kind(column(*cells)) == expected


@pytest.mark.parametrize(
    ('name', 'cells', 'expected'),
    [
        ('y', ['1', '3', '2.5'], None),
        ('p_np', ['0', '1'], None),
        ('num', ['4', '1', '9'], 'identifiers'),
        ('mol_id', ['4', '1', '9'], 'identifiers'),
        ('ID', ['4', '1', '9'], 'identifiers'),
        ('column 1', ['4', '1', '9'], 'without a name'),
        ('fold', ['0', '1', '2'], 'parts'),
        ('weight', ['0.1', '1', '2'], 'weights'),
        ('Molecular Weight', ['0.1', '1', '2'], 'structure'),
        ('ESOL predicted log solubility', ['0.1', '1', '2'], 'predictions'),
        ('y', ['7', '8', '9'], 'row numbers'),
        ('y', ['0.5', '1.5', '2.5'], None),
        ('y', ['a', 'b', 'c'], 'text'),
        ('y', ['', '', ''], 'no values'),
        ('y', ['1', '1', ''], "one value, '1'"),
    ],
)
def test_no_target(name, cells, expected):
    reason = no_target(column(*cells, name=name))
    assert (reason is None) if expected is None else expected in reason
