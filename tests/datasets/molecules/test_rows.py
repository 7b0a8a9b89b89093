import io

import pytest

from gmoe.datasets.molecules.rows import open_rows


def read(content: str):
    with open_rows(io.BytesIO(content.encode())) as rows:
        return rows.header, list(rows), rows.said


@pytest.mark.parametrize('sign', list(',;\t|'))
def test_delimiters(sign):
    header, rows, said = read(f'smiles{sign}y\nCCO{sign} 1.5 \n')
    assert header == ('smiles', 'y')
    assert rows == [(2, ['CCO', '1.5'])]
    assert len(said) == (sign != ',')


def test_the_delimiter_that_rows_have_as_often():
    header, rows, _ = read('smiles;log P, measured, 25\nCCO;1\n')
    assert header == ('smiles', 'log P, measured, 25')
    assert rows == [(2, ['CCO', '1'])]
    assert read('smiles;a\nCCO;1,5\n')[1] == [(2, ['CCO', '1,5'])]


def test_line_of_excel():
    header, rows, _ = read('sep=;\r\nsmiles;a,b\r\nC;1\r\n')
    assert (header, rows) == (('smiles', 'a,b'), [(3, ['C', '1'])])


def test_quotes_and_line_numbers():
    text = 'name,smiles\n"a, ""b""\nc",CCO\n\n"",CC\n\n\n'
    _, rows, _ = read(text)
    assert rows == [(2, ['a, "b"\nc', 'CCO']), (4, ['', '']), (5, ['', 'CC'])]


def test_short_and_long_rows():
    header, rows, said = read('a,b,,\n1,2,,\n3\n')
    assert header == ('a', 'b')
    assert rows == [(2, ['1', '2']), (3, ['3', ''])]
    assert said == [
        'shorter than the header: 1 row, first line 3: the last cells are '
        'blank'
    ]
    with pytest.raises(ValueError, match='line 3 must have 2 cells.* got 3'):
        read('a,b\n1,2\n1,2,3\n')


def test_columns_without_a_name():
    assert read('\n\n,b,,d\n1,2,3,4\n')[0] == (
        'column 1',
        'b',
        'column 3',
        'd',
    )


def test_one_column():
    assert read('smiles\nCCO\nCC')[1] == [(2, ['CCO']), (3, ['CC'])]
    assert read('smiles') == (('smiles',), [], [])


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'first line with the names'),
        ('\n \n,,\n', 'first line with the names'),
        ('a,b\n1,"2\n3,4\n', 'line 2 must have quotes .* closed'),
        ('a,b\n"1"2,3\n', 'line 2 must have quotes'),
        ('a,b\n1,"' + 'c' * 200_000, 'line 2 must have cells of at most'),
        ('a,b\n1,' + 'c' * 200_000, 'line 2 must have cells of at most'),
    ],
)
def test_no_table(text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


def test_rows_come_one_by_one():
    class Endless(io.RawIOBase):
        count = 0

        def readable(self):
            return True

        def readinto(self, out):
            self.count += 1
            assert self.count < 100
            text = (b'a,b\n' * len(out))[: len(out) // 4 * 4]
            out[: len(text)] = text
            return len(text)

    with open_rows(io.BufferedReader(Endless())) as rows:
        for line, _ in rows:
            if line > 10_000:
                break
