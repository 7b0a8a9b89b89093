"""What a triple is, and what looks like one."""

import pytest

from gmoe.common.triple import MAX_LENGTH, clean_name, to_triple, unquote


def test_names_of_one_look():
    assert clean_name('\ufeff Beyonce\u0301 ') == 'Beyonc\u00e9'
    assert clean_name('a\u2028b') == 'a\u2028b'


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('"London"@en', 'London'),
        ('"London"@en-GB', 'London'),
        ('"Beijing"@zh-Hans-CN', 'Beijing'),
        ('"5"^^<http://www.w3.org/2001/XMLSchema#integer>', '5'),
        ('"98.0"(minutes)', '"98.0"(minutes)'),
        ('London', 'London'),
        ('"a"@b c', '"a"@b c'),
    ],
)
def test_literals(name, expected):
    assert unquote(name) == expected


def test_forms():
    expected = 'a b', 'p', 'c'
    assert to_triple(' a b | p | c\n') == expected
    assert to_triple(['a b', ' p', 'c\ufeff']) == expected


@pytest.mark.parametrize(
    ('value', 'words'),
    [
        ('abc', "form 'subject"),
        ('a |  | c', "form 'subject"),
        (3, 'got 3'),
        ({'a', 'b', 'c'}, "form 'subject"),
        (b'abc', "form 'subject"),
        (('a', ' ', 'c'), 'the property of it must be a text'),
        (('a', 'b', None), 'the object of it must be a text.*None'),
        (['A | b | C', 'A | d | E', 'A | f | G'], "subject of it.*' \\| '"),
        (('a', 'b', '\ud800'), 'object of it.*surrogates'),
        (('a', 'b', 'c' * (MAX_LENGTH + 1)), f'at most {MAX_LENGTH}'),
        ('a' * 10**7, 'long'),
    ],
)
def test_refused(value, words):
    with pytest.raises(ValueError, match=words) as error:
        to_triple(value, 'it')
    assert len(str(error.value)) < 200
