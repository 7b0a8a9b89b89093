"""Subject, property and object: how triples are written and checked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Set

from gmoe.common.shown import shown

Triple = tuple[str, str, str]

#: The text between the parts of a triple in a line.
SEPARATOR = ' | '
ROLES = ('subject', 'property', 'object')

#: The longest name or literal: features of much longer ones take gigabytes.
MAX_LENGTH = 2**16

# With the language (as in ``"..."@en-GB``) or the data type of RDF.
_LITERAL = re.compile(r'"(.*)"(?:@\w+(?:-\w+)*|\^\^\S+)?', re.DOTALL)


def clean_name(name: str) -> str:
    """Returns the one form of all names that look the same: composed (NFC),
    without byte order marks and without spaces around it.

    Args:
        name: The name of an entity or a property, or a literal.
    """
    return unicodedata.normalize('NFC', name.replace('\ufeff', '')).strip()


def unquote(name: str) -> str:
    """Returns a literal without its quotes, and without the language or the
    data type behind them; other names as they are.

    Args:
        name: The name or the literal.
    """
    match = _LITERAL.fullmatch(name)
    return name if match is None else match[1]


def to_triple(value: object, what: str = 'a triple') -> Triple:
    """Returns subject, property and object, each as :func:`clean_name` has
    it.

    Args:
        value: The three of them, or one text with :data:`SEPARATOR` between
            them.
        what: The name of the triple in error messages.

    Raises:
        ValueError: If it is not of this form.
    """
    parts = _parts(value)
    if len(parts) != len(ROLES):
        raise ValueError(
            f"{what} must be of the form 'subject | property | object', got "
            f'{shown(value)}'
        )
    subject, prop, obj = (
        _check(part, f'the {role} of {what}')
        for role, part in zip(ROLES, parts)
    )
    return subject, prop, obj


def _parts(value: object) -> list[object]:
    # Of what is no triple, some other number of them.
    if isinstance(value, str):
        names = [clean_name(part) for part in value.strip().split(SEPARATOR)]
        return [*names] if all(names) else []
    if isinstance(value, Iterable) and not isinstance(
        value, (bytes, Mapping, Set)
    ):
        return list(value)
    return []


def _check(part: object, what: str) -> str:
    name = clean_name(part) if isinstance(part, str) else ''
    if not name:
        wanted = 'a text that is not empty'
    elif len(name) > MAX_LENGTH:
        wanted = f'of at most {MAX_LENGTH} characters'
    elif SEPARATOR in name:
        wanted = f"a name without '{SEPARATOR}' in it"
    elif any('\ud800' <= c <= '\udfff' for c in name):
        wanted = 'a text without halves of characters (surrogates)'
    else:
        return name
    raise ValueError(f'{what} must be {wanted}, got {shown(name or part)}')
