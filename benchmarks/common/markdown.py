"""Generated parts of Markdown files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gmoe.common.files import replace_text


def markers(name: str) -> tuple[str, str]:
    """The lines before and after a generated part.

    Args:
        name: The module that makes it.
    """
    return f'<!-- made by python -m {name} -->', f'<!-- end of {name} -->'


def insert(text: str, name: str, content: str) -> str:
    """Replaces a generated part.

    Args:
        text: A text with both markers.
        name: The module that makes the part.
        content: The new part.
    """
    begin, end = markers(name)
    head, rest = text.split(begin)
    _, tail = rest.split(end)
    return f'{head}{begin}\n\n{content}\n\n{end}{tail}'


def update(
    paths: Iterable[Path], name: str, content: str, create: bool = False
) -> None:
    """Replaces a generated part in files.

    Args:
        paths: The files.
        name: The module that makes the part.
        content: The new part.
        create: Whether a file or a part that is not there is added.

    Raises:
        ValueError: If a file does not have each marker once.
    """
    for path in paths:
        text = '' if create and not path.exists() else path.read_text()
        if create and not all(marker in text for marker in markers(name)):
            text += '{}\n{}\n'.format(*markers(name))
        for marker in markers(name):
            if text.count(marker) != 1:
                raise ValueError(f"'{path}' must have one line '{marker}'")
        replace_text(path, insert(text, name, content))
        print(f'Wrote {path}')


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table.

    Args:
        header: The names of the columns.
        rows: The cells of each row.
    """
    lines = [header, ['---'] * len(header), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def table_of(rows: Sequence[Mapping[str, str]]) -> str:
    """A Markdown table, empty where there are no rows.

    Args:
        rows: The cells of each row by the names of their columns, which are
            the same in all rows.
    """
    return (
        table(list(rows[0]), [list(r.values()) for r in rows]) if rows else ''
    )
