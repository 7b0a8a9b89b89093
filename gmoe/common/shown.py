"""Values as error messages show them."""

from __future__ import annotations

#: How many characters of a value a message shows.
LENGTH = 60


def shown(value: object, length: int = LENGTH) -> str:
    """A value as Python writes it, cut where it is long.

    Args:
        value: The value, of any size.
        length: How many characters are shown.
    """
    if isinstance(value, (str, bytes)):
        # The whole of it may be larger than what a message is for.
        cut = repr(value[:length])
        return cut if len(value) <= length else f'{cut}... ({len(value)} long)'
    text = repr(value)
    return text if len(text) <= length else f'{text[:length]}...'


def counted(count: int, word: str) -> str:
    """A number of things in words: ``1 row``, ``2 rows``.

    Args:
        count: The number.
        word: What one of them is called.
    """
    return f'{count} {word}' if count == 1 else f'{count} {word}s'


def one_line(value: object, length: int = LENGTH) -> str:
    """A text on one line, cut where it is long.

    Args:
        value: The text, or what has one.
        length: How many characters are shown.
    """
    text = ' '.join(str(value).split())
    return text if len(text) <= length else f'{text[:length]}…'
