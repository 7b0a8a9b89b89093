"""Molecules that are to be predicted."""

import io
from types import SimpleNamespace

import pytest

from gmoe.molecules.prediction_input import open_input


def read(sources, size=2, **kwargs):
    with open_input([str(source) for source in sources], size, **kwargs) as t:
        return t.header, t.column, list(t.chunks), t.said


def test_table(tmp_path):
    path = tmp_path / 'new.csv'
    path.write_text('id,SMILES\na,CCO\nb,\n\nc,C\nd,"[Na+],"\n\n')
    header, column, chunks, said = read([path])
    assert header == ['id', 'SMILES']
    assert column == 1
    assert chunks == [
        [['a', 'CCO'], ['b', '']],
        [['', ''], ['c', 'C']],
        [['d', '[Na+],']],
    ]
    assert said == ["SMILES strings are in the column 'SMILES'"]
    assert read([path], known='SMILES')[3] == []


def test_column_that_is_found(tmp_path):
    path = tmp_path / 'new.csv'
    path.write_text('mol;note\nCCO;x\nCCN;y\n')
    _, column, _, said = read([path])
    assert column == 0
    assert any("the column 'mol'" in line for line in said)
    assert read([path], smiles='note')[1] == 1


def test_standard_input(monkeypatch):
    buffer = io.BytesIO(b'smiles\nCCO\n')
    monkeypatch.setattr('sys.stdin', SimpleNamespace(buffer=buffer))
    assert read(['-'])[2] == [[['CCO']]]


def test_smiles_strings():
    header, column, chunks, _ = read(['CCO', 'C', 'N'])
    assert (header, column) == (['smiles'], 0)
    assert chunks == [[['CCO'], ['C']], [['N']]]


def test_one_refused_among_others():
    assert read(['CCO', 'C1CC'])[2] == [[['CCO'], ['C1CC']]]
    with pytest.raises(ValueError, match="'C1CC': .*no SMILES string"):
        read(['CCO', 'C1CC'], is_each=True)


def test_rows_are_read_as_they_are_used(tmp_path):
    path = tmp_path / 'new.csv'
    path.write_text('smiles,x\nC,1\nC,1\nC,1\nC,1,2,3\n')
    with open_input([str(path)], 1) as table:
        assert next(table.chunks) == [['C', '1']]
        with pytest.raises(ValueError, match='line 5 must have 2 cells'):
            list(table.chunks)


def test_what_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'new.csv'
    path.write_text('smile,value\n1,2\n')
    (tmp_path / 'empty.csv').write_text('')
    for sources, kwargs, match in (
        (['new.csv'], {}, r"the nearest of \['smile'\], got 'smiles'"),
        (['new.csv'], {'smiles': 'valu'}, r"the nearest of \['value'\]"),
        (['new.cvs'], {}, "there is no such file .there is 'new.csv'"),
        (['new.csv', 'CCO'], {}, 'beside others'),
        (['-', 'CCO'], {}, 'beside others'),
        (['C1CC'], {}, 'as SMILES it is no SMILES string'),
        (['C1CC', 'C(C'], {}, "'C1CC': .*as SMILES it is no SMILES string"),
        (['x' * 5000], {}, 'there is no such file'),
        (['empty.csv'], {}, 'must have a first line'),
    ):
        with pytest.raises(ValueError, match=match):
            read(sources, **kwargs)
