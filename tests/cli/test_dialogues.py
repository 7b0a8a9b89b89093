"""Dialogues as the command line takes them."""

import gzip
import io
import sys

import pytest

from gmoe.cli.dialogues import read_dialogues

TALK = 'Ann: hi, "you"\nBo: the dialogue; is on\n\nAnn: ok'
ROWS = 'id,Dialogue,summary\n1,"Ann: hi\nBo: ""ho""",x\n2, ,\n3,a,y\n'
CELLS = [
    ['1', 'Ann: hi\nBo: "ho"', 'x'],
    ['2', '', ''],
    ['3', 'a', 'y'],
]


def read(tmp_path, content, name='talk.txt'):
    path = tmp_path / name
    path.write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )
    return read_dialogues(str(path))


@pytest.mark.parametrize('name', ['a.csv', 'a.txt', 'a'])
def test_a_table(tmp_path, name):
    found = read(tmp_path, ROWS, name)
    assert found.header == ['id', 'Dialogue', 'summary']
    assert found.rows == CELLS
    assert found.column == 1


def test_tables_of_other_programs(tmp_path):
    wide = ROWS.replace(',', ';').encode('utf-16')
    found = read(tmp_path, wide, 'a.csv')
    assert (found.rows, found.column) == (CELLS, 1)
    assert found.said == ['columns are separated by semicolons']
    found = read(tmp_path, gzip.compress(ROWS.encode()), 'a.csv.gz')
    assert (found.rows, found.column) == (CELLS, 1)


def test_a_text(tmp_path):
    for content in (TALK, f' \n{TALK}\n\n', TALK.encode('utf-16')):
        found = read(tmp_path, content)
        assert found[:3] == (['dialogue'], [[TALK]], 0)
    assert read(tmp_path, 'one turn').rows == [['one turn']]


def test_standard_input(monkeypatch):
    for content, expected in ((ROWS, CELLS), (TALK, [[TALK]])):
        text = io.TextIOWrapper(io.BytesIO(content.encode()))
        monkeypatch.setattr(sys, 'stdin', text)
        assert read_dialogues('-').rows == expected
    monkeypatch.setattr(sys, 'stdin', None)
    with pytest.raises(ValueError, match="got '-': the standard input is cl"):
        read_dialogues('-')


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.csv', 'id,text\n1,a\n', "no column 'dialogue'"),
        ('a.CSV.gz', 'id,text\n1,a\n', "no column 'dialogue'"),
        ('a.csv', '', "no column 'dialogue'"),
        ('a.csv', 'id,dialogue\n', 'must have rows below its header'),
        ('a.csv', 'dialogue,Dialogue\na,b\n', 'must have one column'),
        ('a.csv', 'id,dialogue\n1,"a\n', 'line 2 must have quotes'),
        ('a.csv', 'id,dialogue\n1,a,b\n', 'line 2 must have 2 cells'),
        ('a.txt', 'id,dialogue\n1,a,b\n', 'line 2 must have 2 cells'),
        ('a.txt', ' \n\n', 'in which there is none'),
        ('a.txt', b'\x89PNG\r\n\0\0', 'zero bytes'),
        ('a.bin', b'\x80\x04\x95', 'got a pickle'),
    ],
)
def test_what_is_refused(tmp_path, name, content, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, content, name)


def test_files_that_are_not_there(tmp_path):
    (tmp_path / 'dialogues.csv').write_text(ROWS)
    with pytest.raises(ValueError, match=r'no such file \(there is '):
        read_dialogues(str(tmp_path / 'dialogue.csv'))
    with pytest.raises(ValueError, match="'input' must be a table in CSV"):
        read_dialogues('a\0b')
    with pytest.raises(OSError, match="'input' must be .* directory"):
        read_dialogues(str(tmp_path))


def test_more_than_memory_may_hold(tmp_path):
    path = tmp_path / 'large.csv'
    path.write_text(ROWS)
    with path.open('r+b') as file:
        file.truncate(2 * 2**30)
    with pytest.raises(ValueError, match='at most 256 MiB'):
        read_dialogues(str(path))
