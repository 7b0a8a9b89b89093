"""Makes the names and literals of triples readable, and tells their kind."""

import re
from enum import IntEnum

from gmoe.common.triple import clean_name, unquote


class NodeType(IntEnum):
    """The kind of a node of a graph of triples."""

    ENTITY = 0
    TEXT = 1
    NUMBER = 2
    QUANTITY = 3  # A number with its unit.
    DATE = 4
    YEAR = 5


_MONTHS = [
    'January',
    'February',
    'March',
    'April',
    'May',
    'June',
    'July',
    'August',
    'September',
    'October',
    'November',
    'December',
]
_NUMBER = r'[-+−]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?'
_IS_NUMBER = re.compile(rf'{_NUMBER}|[-+−]?\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?')
_IS_QUANTITY = re.compile(rf'({_NUMBER})"?\s*(?:\(([^()]+)\)|([a-zA-Zµ°]+))')
_IS_DATE = re.compile(r'(\d{4}|-)-(\d{2})-(\d{2})')
_IS_LONG_DATE = re.compile(
    rf'\d{{1,2}} (?:{"|".join(_MONTHS)}) \d{{4}}(?: \(JD[\d.]+\))?'
)
_IS_SHORT_DATE = re.compile(r'\d{4}-[A-Z][a-z]{2}-\d{1,2}')
_IS_CODES = re.compile(r'\d[\d ,–-]*')  # As in "770, 404, 678".
_YEAR = re.compile(r'1\d{3}|20\d{2}')
# Of the names of properties whose integers are years.
_HAS_YEAR = re.compile(
    r'year|date|establish|found|complet|launch|aired|voyage|built|'
    r'retirement|season|debut|construction|release|inservice|extinct'
)


def normalize_property(name: str) -> str:
    """Returns a property in words.

    Example:
        >>> normalize_property('1stRunwaySurfaceType')
        '1st runway surface type'
    """
    out = _camel_case(_plain(name).replace('/', ' / '))
    return ' '.join(out.lower().split())


def normalize_node(name: str, prop: str = '') -> tuple[NodeType, str]:
    """Returns the kind of a subject or an object, and its text in words.

    WebNLG's modified triples hold no data types, so that the form has to tell
    the kind. A text in quotes is a literal, and so is one that reads as a
    number, a date, or a number with a unit. A whole number from 1000 to 2099
    is a year if the property is about one.

    Args:
        name: The subject or the object, as it is written.
        prop: The property it is the object of.

    Example:
        >>> normalize_node('61.0 (squareKilometres)')
        (<NodeType.QUANTITY: 3>, '61 square kilometres')
        >>> normalize_node('1954-07-29')
        (<NodeType.DATE: 4>, '29 July 1954')
    """
    text = _plain(name)
    if _IS_NUMBER.fullmatch(text):
        is_year = _YEAR.fullmatch(text) and _HAS_YEAR.search(prop.lower())
        return (NodeType.YEAR if is_year else NodeType.NUMBER), _number(text)
    if (date := _IS_DATE.fullmatch(text)) and (out := _date(*date.groups())):
        return NodeType.DATE, out
    if _IS_LONG_DATE.fullmatch(text) or _IS_SHORT_DATE.fullmatch(text):
        return NodeType.DATE, text.split(' (')[0]
    if match := _IS_QUANTITY.fullmatch(text):
        value, long_unit, short_unit = match.groups()
        if long_unit or len(short_unit) <= 2:
            unit = _camel_case(long_unit).lower() if long_unit else short_unit
            return NodeType.QUANTITY, f'{_number(value)} {unit}'
    is_text = clean_name(name).startswith('"') or _IS_CODES.fullmatch(text)
    return (NodeType.TEXT if is_text else NodeType.ENTITY), text


def _plain(name: str) -> str:
    """Returns a name without quotes, language tag and underscores."""
    out = unquote(clean_name(name))
    out = re.sub(r"''+", ' ', out).replace('_', ' ')
    return ' '.join(out.strip('"').split())


def _camel_case(text: str) -> str:
    text = re.sub(r'([a-z0-9])([A-Z])', r'\1 \2', text)
    text = re.sub(r'([A-Z])([A-Z][a-z])', r'\1 \2', text)
    return re.sub(r'([A-Za-z])(\d)', r'\1 \2', text)


def _number(text: str) -> str:
    text = text.replace('−', '-').replace(',', '')
    return re.sub(r'\.0+$', '', text)


def _date(year: str, month: str, day: str) -> str | None:
    if not 1 <= int(month) <= 12:
        return None
    out = f'{int(day)} {_MONTHS[int(month) - 1]}'
    return out if year == '-' else f'{out} {year}'
