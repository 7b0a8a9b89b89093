"""Dialogues and summaries: the published files, and those that are not."""

import csv
import dataclasses
import sys
from types import SimpleNamespace

import pytest

from gmoe.datasets import CorruptDatasetError, SAMSum, SAMSumEntry

ROWS = [
    ('1', 'Amanda: I baked  "cookies", ok?\nJerry: Sure! 🙂', 'A baked.\n'),
    ('2', 'Bo: hi\r\nAl: hello', ' They greet. '),
]
HEADER = ('id', 'dialogue', 'summary')


def write(folder, rows, header=HEADER, name='train', encoding='utf-8'):
    path = folder / f'{name}.csv'
    with path.open('w', encoding=encoding, newline='') as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.mark.parametrize(
    ('split', 'count', 'first'),
    [
        ('train', 14_731, 'Amanda baked cookies and will bring Jerry some'),
        ('validation', 818, 'A will go to the animal shelter tomorrow to get'),
        ('test', 819, "Hannah needs Betty's number but Amanda doesn't have"),
    ],
)
def test_published_files(data_root, split, count, first):
    data = SAMSum(data_root / 'samsum', split)
    assert len(data) == len(data.dialogues) == len(data.summaries) == count
    assert data[0].summary.startswith(first)
    assert data.summaries[0] == data[0].summary
    assert data.dialogues[-1] == data[-1].dialogue
    assert data.left_out == ()
    assert len({entry.id for entry in data}) == count
    assert all(':' in entry.dialogue for entry in data)


def test_texts_stay_as_they_are(tmp_path):
    expected = [SAMSumEntry(*row) for row in ROWS]
    for encoding in ('utf-8', 'utf-8-sig'):
        write(tmp_path, ROWS, encoding=encoding)
        data = SAMSum(tmp_path)
        assert list(data) == data[:] == expected
    # Columns are found by their names.
    header = ('summary', 'topic', 'id', 'dialogue')
    write(tmp_path, [(s, 'x', i, d) for i, d, s in ROWS], header)
    assert list(SAMSum(tmp_path)) == expected
    with pytest.raises(dataclasses.FrozenInstanceError):
        data[0].summary = 'another'
    assert repr(data) == "SAMSum('train', 2)"


def test_blank_entries_are_not_trained_on(tmp_path):
    blank = [('3', ' \n', 'Nothing is said.'), ('4', 'Al: hm', '')]
    write(tmp_path, [blank[0], *ROWS, blank[1]])
    with pytest.warns(UserWarning, match=r"Left out 2 entries.*'3', '4'"):
        data = SAMSum(tmp_path)
    assert data.left_out == ('3', '4')
    assert [entry.id for entry in data] == ['1', '2']
    write(tmp_path, [*ROWS, blank[0]], name='test')
    with pytest.raises(CorruptDatasetError, match="in the entry '3'"):
        SAMSum(tmp_path, 'test')
    write(tmp_path, blank)
    with (
        pytest.warns(UserWarning, match='Left out 2'),
        pytest.raises(CorruptDatasetError, match='at least one entry'),
    ):
        SAMSum(tmp_path)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'at least one entry'),
        (b'id,dialogue,summary\n', 'at least one entry'),
        (b'id,dialogue\n1,a\n', r"columns .*got \['id', 'dialogue'\]"),
        (b'id,id,dialogue,summary\n1,1,a,b\n', 'each once'),
        (b'id;dialogue;summary\n1;a;b\n', 'must name the columns'),
        (b'id,dialogue,summary\n1,"a\nb",c\n2,d\n', '2 of them in line 4'),
        (b'id,dialogue,summary\n1,"a,b\n2,c,d\n', 'closed.*line 2'),
        (b'id,dialogue,summary\n1,a,b\n2,"c"d,e\n', 'closed.*line 3'),
        (b'id,dialogue,summary\n1,caf\xe9,b\n', 'UTF-8.*0xe9 in line 2'),
        ('id,dialogue,summary\n1,a,b\n'.encode('utf-16'), 'UTF-8.*UTF-16'),
        (b'PK\x03\x04\x00\x00', 'must be in UTF-8'),
        (b'id,dialogue,summary\n1,' + b'x' * 200_000 + b',c\n', 'field limit'),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / 'train.csv').write_bytes(content)
    with pytest.raises(CorruptDatasetError, match=f'(?s)train.csv.*{message}'):
        SAMSum(tmp_path)


def test_a_file_that_is_too_large(tmp_path):
    with write(tmp_path, ROWS).open('r+b') as file:
        file.truncate(2 * 2**30)  # Without anything on the disk.
    with pytest.raises(CorruptDatasetError, match='at most 67108864 bytes'):
        SAMSum(tmp_path)


@pytest.mark.parametrize('root', [None, 3, b'folder'])
def test_no_path(root):
    with pytest.raises(ValueError, match="'root' must be a folder, got"):
        SAMSum(root)


def test_no_such_split(tmp_path):
    write(tmp_path, ROWS)
    for split in ('valid', '', None):
        with pytest.raises(ValueError, match="'split' must be one of"):
            SAMSum(tmp_path, split)


@pytest.fixture
def hub(monkeypatch):
    """A package ``datasets`` that has the rows it is given."""
    asked = []

    def load_dataset(name, split):
        asked.append((name, split))
        if isinstance(fake.rows, Exception):
            raise fake.rows
        return fake.rows

    fake = SimpleNamespace(load_dataset=load_dataset, rows=[], asked=asked)
    monkeypatch.setitem(sys.modules, 'datasets', fake)
    return fake


def test_files_that_are_not_there(tmp_path, hub):
    hub.rows = ConnectionError('nobody answers')
    with pytest.raises(FileNotFoundError, match=r'test\.csv.*nobody answers'):
        SAMSum(tmp_path / 'none', 'test')
    write(tmp_path, ROWS)
    with pytest.raises(FileNotFoundError, match=r"\['id', 'dialogue', 'sum"):
        SAMSum(tmp_path, 'test', download=False)
    assert hub.asked == [('knkarthick/samsum', 'test')]
    assert len(SAMSum(tmp_path)) == 2
    assert len(hub.asked) == 1


def test_without_the_package_datasets(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'datasets', None)
    with pytest.raises(FileNotFoundError, match=r"pip install 'gmoe\[text\]'"):
        SAMSum(tmp_path)


def test_rows_of_the_hub(tmp_path, hub):
    hub.rows = [dict(zip(HEADER, row)) for row in ROWS]
    assert list(SAMSum(tmp_path)) == [SAMSumEntry(*row) for row in ROWS]
    hub.rows.append({'id': '3', 'dialogue': None, 'summary': 'x'})
    with pytest.warns(UserWarning, match='Left out 1 entry '):
        assert SAMSum(tmp_path).left_out == ('3',)
    hub.rows = [{'id': '1', 'text': 'a'}]
    with pytest.raises(CorruptDatasetError, match='must have the columns'):
        SAMSum(tmp_path)
