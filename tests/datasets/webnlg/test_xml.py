from pathlib import Path

import pytest

from gmoe.datasets import CorruptDatasetError
from gmoe.datasets.webnlg import xml as xml
from gmoe.datasets.webnlg.xml import parse_file, parse_triple
from tests.datasets.webnlg_files import AARHUS, BEAN, file_xml

PATH = Path('folder/Airport.xml')


def parse(text: str, **kwargs):
    return parse_file(text.encode(), PATH, 'train/Airport.xml', **kwargs)


def test_entry():
    first, second = parse(
        file_xml([('Airport', 'Id1', AARHUS), ('Astronaut', 'Id2', BEAN)])
    )
    assert first.triples == (
        ('Aarhus_Airport', 'cityServed', '"Aarhus, Denmark"'),
    )
    assert (first.eid, first.category, first.file) == (
        'Id1',
        'Airport',
        'train/Airport.xml',
    )
    assert (first.shape, first.shape_type, first.size) == ('(X (X))', 'NA', 1)
    assert first.original_triple_sets == (tuple(AARHUS), tuple(AARHUS))
    assert first.texts[0].text == 'A text & more.'
    assert (first.texts[0].comment, first.texts[1].lang) == ('good', 'en')
    assert first.dbpedia_links == first.links == ()
    assert second.size == 3


def test_links_and_order():
    text = file_xml([('Astronaut', 'Id1', BEAN)]).replace(
        '</entry>',
        '<dbpedialinks><dbpedialink>a | b | c</dbpedialink></dbpedialinks>'
        '<links><link>d</link></links></entry>',
    )
    (entry,) = parse(text)
    assert entry.dbpedia_links == ('a | b | c',)
    assert entry.links == ('d',)
    (other,) = parse(file_xml([('Astronaut', 'Id9', BEAN[::-1])]))
    assert entry.key == other.key


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('Aarhus_Airport | cityServed', 'Aarhus_Airport', "entry 'Id1'.*form"),
        ('cityServed', '  ', "entry 'Id1'.*form"),
        ('size="1"', 'size="2"', "entry 'Id1'.*'size'.*'2'"),
        ('<mtriple>', '<other>', 'well-formed'),
        ('eid="Id1"', '', 'entry number 1.*eid'),
        ('category="Airport"', '', "entry 'Id1'.*category"),
        ('modifiedtripleset', 'tripleset', "entry 'Id1'.*modifiedtripleset"),
        ('benchmark', 'other', 'benchmark'),
        ('</mtriple>', '<b/>lost</mtriple>', "entry 'Id1'.*text alone"),
        ('category="Airport"', 'category="&#1;"', 'well-formed'),
    ],
)
def test_malformed(old: str, new: str, message: str):
    text = file_xml([('Airport', 'Id1', AARHUS)])
    assert old in text
    with pytest.raises(CorruptDatasetError, match=message) as e:
        parse(text.replace(old, new))
    assert str(PATH) in str(e.value)


def test_empty_set():
    with pytest.raises(CorruptDatasetError, match=r"'Id1'.*got none"):
        parse(file_xml([('Airport', 'Id1', [])]))


def test_repeated_id():
    entries = [('Airport', 'Id1', AARHUS)] * 2
    with pytest.raises(CorruptDatasetError, match=r"'Id1'.*unique"):
        parse(file_xml(entries))


def test_malformed_entry_is_left_out():
    errors = []
    text = file_xml(
        [('Airport', 'Id1', ['a | b']), ('Airport', 'Id2', AARHUS)]
    )
    out = parse(text, on_error=errors.append)
    assert [entry.eid for entry in out] == ['Id2']
    assert len(errors) == 1
    assert "'Id1'" in str(errors[0])


def test_truncated():
    text = file_xml([('Airport', 'Id7', AARHUS)])
    with pytest.raises(CorruptDatasetError, match=r"complete.*'Id7'"):
        parse(text[:-40])
    with pytest.raises(CorruptDatasetError, match='complete'):
        parse('')


@pytest.mark.parametrize(
    'declaration',
    [
        '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE b SYSTEM "http://localhost/b.dtd">',
    ],
)
def test_nothing_is_expanded(declaration: str):
    head, body = file_xml([('Airport', 'Id1', AARHUS)]).split('\n')
    with pytest.raises(CorruptDatasetError, match='document type'):
        parse(f'{head}{declaration}{body.replace("Denmark", "&a;")}')


def test_limits(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(CorruptDatasetError, match='nested'):
        parse('<a>' * 50 + '</a>' * 50)
    with monkeypatch.context() as context:
        context.setattr(xml, 'MAX_ELEMENTS', 9)
        with pytest.raises(CorruptDatasetError, match='at most 9 elements'):
            parse(file_xml([('Airport', 'Id1', AARHUS)]))
    monkeypatch.setattr(xml, 'MAX_FILE_SIZE', 10)
    with pytest.raises(CorruptDatasetError, match='at most 10 bytes'):
        parse(file_xml([]))


def test_parse_triple():
    assert parse_triple(' a_b | c |  d ') == ('a_b', 'c', 'd')
    for text in ['', 'a | b', 'a | b | c | d', 'a |  | c', 'a|b|c']:
        with pytest.raises(ValueError, match='subject'):
            parse_triple(text)


@pytest.mark.parametrize(
    ('encoding', 'said'),
    [
        ('utf-8-sig', 'utf-8'),
        ('utf-16', 'utf-16'),
        ('latin-1', 'latin-1'),
        ('cp1252', 'cp1252'),
    ],
)
def test_encodings(encoding: str, said: str):
    text = file_xml([('Airport', 'Id1', ['\u00c5rhus | b | C'])])
    content = text.replace("'utf-8'", f"'{said}'").encode(encoding)
    (entry,) = parse_file(content, PATH, 'Airport.xml')
    assert entry.triples == (('\u00c5rhus', 'b', 'C'),)


@pytest.mark.parametrize('said', ['utf-7', 'hex', 'nothing', 'idna', '\u00e9'])
def test_other_encodings_are_refused(said: str):
    text = file_xml([('Airport', 'Id1', AARHUS)])
    with pytest.raises(CorruptDatasetError, match='well-formed'):
        parse(text.replace("'utf-8'", f"'{said}'"))


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        ('Aarhus_Airport |', 'x' * 10**6),
        ("'utf-8'", f"'{'x' * 10**6}'"),
        ('eid="Id1"', f'eid="{"x" * 10**6}" size="x"'),
        ('size="1"', f'size="{"1" * 10**6}"'),
        ('<entry', f'<{"x" * 10**6}/><entry'),
        ('</entry>', f'<{"x" * 10**6}/>'),
    ],
)
def test_messages_are_short(old: str, new: str):
    text = file_xml([('Airport', 'Id1', AARHUS)]).replace(old, new)
    with pytest.raises(CorruptDatasetError) as error:
        parse(text)
    assert len(str(error.value)) < 400
