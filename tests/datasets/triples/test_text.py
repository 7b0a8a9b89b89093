import pytest

from gmoe.datasets.webnlg import NodeType, normalize_node, normalize_property


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('cityServed', 'city served'),
        ('1stRunwaySurfaceType', '1st runway surface type'),
        ('LCCN_number', 'lccn number'),
        (
            'associatedBand/associatedMusicalArtist',
            'associated band / associated musical artist',
        ),
        ('iso6392Code', 'iso 6392 code'),
        ('selectedByNASAIn', 'selected by nasa in'),
    ],
)
def test_property(name: str, expected: str):
    assert normalize_property(name) == expected


@pytest.mark.parametrize(
    ('name', 'prop', 'kind', 'text'),
    [
        ('Aarhus_Airport', '', 'ENTITY', 'Aarhus Airport'),
        ('AC_Milan', 'club', 'ENTITY', 'AC Milan'),
        ('1955_Dodge', '', 'ENTITY', '1955 Dodge'),
        ('3._Liga', '', 'ENTITY', '3. Liga'),
        ('"Aarhus, Denmark"', '', 'TEXT', 'Aarhus, Denmark'),
        ('"Aarhus, Denmark"@en', '', 'TEXT', 'Aarhus, Denmark'),
        ('"London"@en-GB', '', 'TEXT', 'London'),
        ('\ufeff"London"@en', '', 'TEXT', 'London'),
        ('"\'\'Alvinegro"', 'nickname', 'TEXT', 'Alvinegro'),
        ('770, 404, 678', 'areaCode', 'TEXT', '770, 404, 678'),
        ('25.0', '', 'NUMBER', '25'),
        ('-6', 'utcOffset', 'NUMBER', '-6'),
        ('"248"', 'numberOfPages', 'NUMBER', '248'),
        ('1,234.50', '', 'NUMBER', '1234.50'),
        ('1904', 'floorCount', 'NUMBER', '1904'),
        ('1904', 'yearOfConstruction', 'YEAR', '1904'),
        ('3004', 'yearOfConstruction', 'NUMBER', '3004'),
        ('1954-07-29', 'birthDate', 'DATE', '29 July 1954'),
        ('"1971-07-01"', '', 'DATE', '1 July 1971'),
        ('"1971-07-01"^^xsd:date', '', 'DATE', '1 July 1971'),
        ('--11-03', '', 'DATE', '3 November'),
        ('1954-13-29', '', 'TEXT', '1954-13-29'),
        ('31 July 2016 (JD2457600.5)', 'epoch', 'DATE', '31 July 2016'),
        ('2011-Aug-27', 'epoch', 'DATE', '2011-Aug-27'),
        ('61.0 (square kilometres)', '', 'QUANTITY', '61 square kilometres'),
        ('61.5 (squareKilometres)', '', 'QUANTITY', '61.5 square kilometres'),
        ('"98.0"(minutes)', '', 'QUANTITY', '98 minutes'),
        ('30.0 g', '', 'QUANTITY', '30 g'),
    ],
)
def test_node(name: str, prop: str, kind: str, text: str):
    assert normalize_node(name, prop) == (NodeType[kind], text)
