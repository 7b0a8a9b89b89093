"""Dialogues that are to be summarized: a table, or a text of one."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gmoe.common.files import nearest_name
from gmoe.common.shown import shown
from gmoe.datasets.molecules.rows import Rows
from gmoe.datasets.molecules.text import open_text, too_large

#: The column of dialogues.
COLUMN = 'dialogue'
#: The name that stands for the standard input.
STDIN = '-'
#: The most bytes that are read: they are in memory at once.
MAX_SIZE = 256 * 2**20

_TABLES = ('.csv', '.tsv')
_ACCEPTED = (
    f"a table in CSV with a column '{COLUMN}', a text file with one "
    f"dialogue, or '{STDIN}' for the standard input"
)


class Dialogues(NamedTuple):
    """Rows with a dialogue each.

    Args:
        header: The names of the columns.
        rows: The cells of each row.
        column: Which of them has the dialogue.
        said: What was decided to read them, a sentence each.
    """

    header: list[str]
    rows: list[list[str]]
    column: int
    said: Sequence[str] = ()


def read_dialogues(source: str) -> Dialogues:
    """Reads a table with a column of dialogues, or a text with one dialogue.
    What has such a column in its first line is a table, whatever its name.

    Args:
        source: The path of a file; ``'-'`` for the standard input.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no such file, too large, or holds no dialogue.
    """
    path = Path(source).expanduser()
    content = _content(source, path)
    table = _table(content)
    if table is not None:
        return table
    if path.name.lower().removesuffix('.gz').endswith(_TABLES):
        raise ValueError(
            f"'input' must be {_ACCEPTED}, got {shown(source)}, whose first "
            f"line has no column '{COLUMN}'"
        )
    with open_text(content) as text:
        dialogue = ''.join(text).strip()
    if not dialogue:
        raise ValueError(
            f"'input' must be {_ACCEPTED}, got {shown(source)}, in which "
            'there is none'
        )
    return Dialogues([COLUMN], [[dialogue]], 0, text.said)


class _Content(io.BytesIO):
    """What was read, with the name of its file for messages."""

    name = 'the input'


def _content(source: str, path: Path) -> _Content:
    try:
        if source == STDIN:
            if sys.stdin is None:
                raise ValueError(
                    f"'input' must be {_ACCEPTED}, got '{STDIN}': the "
                    'standard input is closed'
                )
            read = sys.stdin.buffer.read(MAX_SIZE + 1)
        else:
            with open(path, 'rb') as file:
                read = file.read(MAX_SIZE + 1)
    except (FileNotFoundError, ValueError) as error:
        if source == STDIN:
            raise
        raise ValueError(
            f"'input' must be {_ACCEPTED}, got {shown(source)}: there is no "
            f'such file{nearest_name(path)}'
        ) from error
    except OSError as error:
        raise OSError(
            f"'input' must be {_ACCEPTED}, got {shown(source)}: "
            f'{error.strerror}'
        ) from error
    content = _Content(read)
    content.name = 'the standard input' if source == STDIN else os.fspath(path)
    if len(read) > MAX_SIZE:
        raise too_large(content.name, MAX_SIZE)
    return content


def _table(content: _Content) -> Dialogues | None:
    with open_text(content, MAX_SIZE) as text:
        try:
            rows = Rows(text)
            names = [name.lower() for name in rows.header]
        except ValueError:  # Such as a quote in a text.
            names = []
        if COLUMN not in names:
            content.seek(0)
            return None
        if names.count(COLUMN) > 1:
            raise ValueError(
                f"'{rows.name}' must have one column '{COLUMN}', got "
                f'{names.count(COLUMN)}'
            )
        cells = [row for _, row in rows]
        if not cells:
            raise ValueError(
                f"'{rows.name}' must have rows below its header, got none"
            )
        return Dialogues(
            list(rows.header), cells, names.index(COLUMN), rows.said
        )
