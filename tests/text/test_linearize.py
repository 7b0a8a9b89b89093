"""Triples as text."""

import pytest

from gmoe.text import linearize, normalize_name

BEAN = [
    ('Alan_Bean', 'birthPlace', 'Wheeler,_Texas'),
    ('Alan_Bean', 'wasACrewMemberOf', 'Apollo_12'),
]


def test_all():
    assert linearize(BEAN) == (
        '[S] Alan_Bean [P] birthPlace [O] Wheeler,_Texas '
        '[S] Alan_Bean [P] wasACrewMemberOf [O] Apollo_12'
    )


def test_first():
    assert linearize(BEAN, 'first') == linearize(BEAN[:1])


def test_written_triples():
    assert linearize([' | '.join(triple) for triple in BEAN]) == linearize(
        BEAN
    )


def test_normalized():
    assert linearize(BEAN, 'first', normalize=True) == (
        '[S] Alan Bean [P] birth place [O] Wheeler, Texas'
    )


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('wasACrewMemberOf', 'was a crew member of'),
        ('elevationAboveTheSeaLevel', 'elevation above the sea level'),
        ('ICAO_Location_Identifier', 'ICAO Location Identifier'),
        ('"1932-03-15"', '1932-03-15'),
        ('locationICAOIdentifier', 'location ICAO identifier'),
        ('  14.3 (inches) ', '14.3 (inches)'),
        ('"Fall 2006 (1) said"', 'Fall 2006 (1) said'),
        ('São_Paulo', 'São Paulo'),
        ('Sa\u0303o_Paulo', 'São Paulo'),
        ('"London"@en-GB', 'London'),
        ('"5"^^xsd:integer', '5'),
    ],
)
def test_normalize_name(name, expected):
    assert normalize_name(name) == expected


def test_inner_spaces():
    assert linearize([('a\n  b', 'p', 'c')]) == '[S] a b [P] p [O] c'


@pytest.mark.parametrize(
    ('graph', 'message'),
    [
        ([], "at least one triple.*entry 'Id1'"),
        ('a | b | c', "at least one triple.*entry 'Id1'"),
        ([('a', 'p', 'b'), ('a', 'p')], "triple 1 in entry 'Id1'.*'a', 'p'"),
        (['a | p'], "triple 0 in entry 'Id1'"),
        ([('a', ' ', 'b')], "the property of triple 0 in entry 'Id1'"),
        ([('a', 'p', 3)], 'the object of triple 0.*got 3'),
        ([3], 'triple 0.*got 3'),
        # One level of nesting too many.
        ([['A | b | C', 'A | d | E', 'A | f | G']], 'subject of triple 0'),
        ([[('A', 'b', 'C')] * 3], 'subject of triple 0'),
    ],
)
def test_bad_graphs(graph, message):
    with pytest.raises(ValueError, match=message):
        linearize(graph, entry='Id1')


def test_triples_after_the_first_are_checked():
    with pytest.raises(ValueError, match='triple 1'):
        linearize([('a', 'p', 'b'), ('a',)], 'first')


def test_unknown_triples():
    with pytest.raises(ValueError, match=r"'triples' must be one of.*'last'"):
        linearize(BEAN, 'last')


def test_composed_and_decomposed_names_are_one():
    assert linearize([('Sa\u0303o', 'p', '\ufeffc')]) == (
        '[S] S\u00e3o [P] p [O] c'
    )


def test_messages_are_short():
    for graph in ('x' * 10**7, ['x' * 10**7], [('a', 'b', ['c'] * 10**6)]):
        with pytest.raises(ValueError, match='triple') as error:
            linearize(graph, entry='y' * 10**6)
        assert len(str(error.value)) < 400
