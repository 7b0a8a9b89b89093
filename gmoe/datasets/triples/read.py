"""Reads files of triples."""

import codecs
import os
import re
from pathlib import Path

from gmoe.common.triple import Triple, clean_name, to_triple
from gmoe.datasets.limits import MAX_FILE_SIZE

# Not all that `str.splitlines` takes for one: names hold the others.
_LINE_END = re.compile('\r\n|\r|\n')
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_triples(path: str | os.PathLike[str]) -> list[list[Triple]]:
    """Reads graphs of triples of the form ``subject | property | object``, one
    per line, with an empty line between graphs.

    The file is text in UTF-8, with or without a byte order mark. Characters
    that Unicode composes in several ways (as "é") are read in one of them.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be read.
        ValueError: If it is too large or no text in UTF-8, or a line holds
            no triple, or the file none.
    """
    graphs: list[list[Triple]] = [[]]
    text = _read_text(Path(path).expanduser())
    for number, line in enumerate(_LINE_END.split(text), start=1):
        if not clean_name(line):
            graphs.append([])
            continue
        graphs[-1].append(
            to_triple(line, f"'{path}', line {number}: a triple")
        )
    graphs = [graph for graph in graphs if graph]
    if not graphs:
        raise ValueError(f"'{path}' must hold at least one triple, got none")
    return graphs


def _read_text(path: Path) -> str:
    try:
        with path.open('rb') as file:
            content = file.read(MAX_FILE_SIZE + 1)
    except FileNotFoundError as e:
        raise FileNotFoundError(
            f"'path' must be a file of triples, got '{path}', which is not "
            'there'
        ) from e
    except OSError as e:
        raise OSError(
            f"'path' must be a file that can be read, got '{path}' "
            f'({e.strerror})'
        ) from e
    if len(content) > MAX_FILE_SIZE:
        raise ValueError(
            f"'{path}' must be of at most {MAX_FILE_SIZE} bytes, got more"
        )
    found = None
    if content.startswith(_UTF_16) or b'\0' in content:
        found = 'UTF-16 or zero bytes'
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError as e:
        line = content.count(b'\n', 0, e.start) + 1
        byte = content[e.start]
        found = found or f'the byte 0x{byte:02x} in line {line}'
    if found is not None:
        raise ValueError(
            f"'{path}' must be text in UTF-8, got {found}: save it as UTF-8"
        )
    return text
