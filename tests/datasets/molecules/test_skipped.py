import csv

from gmoe.datasets.molecules.molecule import RADICAL, Molecule, Refused
from gmoe.datasets.molecules.skipped import (
    Skipped,
    describe_skipped,
    write_skipped,
)


def test_same_after_reading(tmp_path):
    path = tmp_path / 'run' / 'skipped.csv'
    rows = [Skipped(3, 'C(', 'no, "none"'), Skipped(9, 'é\udce9', 'empty')]
    write_skipped(path, rows)
    found = list(csv.reader(path.open(encoding='utf-8')))
    assert found[0] == ['row', 'smiles', 'reason']
    assert found[1] == ['3', 'C(', 'no, "none"']
    assert found[2] == ['9', 'é?', 'empty']
    write_skipped(path, [])
    assert path.read_text() == 'row,smiles,reason\n'
    assert [p.name for p in path.parent.iterdir()] == ['skipped.csv']


def test_what_is_said():
    refused = Refused('RDKit refuses it: a')
    found = [Molecule('C'), Molecule('[CH3]', (RADICAL,)), refused]
    skipped = [Skipped(4, 'x', refused.reason)]
    assert describe_skipped(found, skipped) == [
        '2 of 3 molecules are kept',
        '  left out: 1: RDKit refuses it',
        f'  1: {RADICAL}',
    ]
