"""Gives the readers of triples and of WebNLG's XML what nobody would write.

    python -m benchmarks.reliability.text_fuzz --calls 100000

Each call is one of three kinds. ``lines``: a file of triples in any line ends,
encodings and forms of Unicode, half of them damaged, for ``read_triples``.
``nesting``: values of any nesting for ``linearize`` and ``triples_to_graph``.
``xml``: a file of WebNLG, half of them damaged, for ``parse_file``. What is
good must be read as it was meant, and all else be refused with an error that
names the file and stays short.
"""

from __future__ import annotations

import random
import unicodedata
from functools import partial
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from benchmarks.common.options import run
from benchmarks.reliability.fuzz import Kind, check_message, report
from gmoe.datasets import CorruptDatasetError, read_triples
from gmoe.datasets.triples.graph import triples_to_graph
from gmoe.datasets.webnlg.xml import parse_file
from gmoe.text import linearize

#: The longest error message, in characters, and the longest call, in seconds.
MAX_MESSAGE = 500
MAX_SECONDS = 10.0

NAMES = (
    'Alan_Bean',
    'Beyonce\u0301',
    'A\u030angstr\u00f6m',
    '"London"@en-GB',
    '"5"^^xsd:integer',
    '61.0 (minutes)',
    '1932-03-15',
    'line\u2028line',
    'next\x85line',
    'form\x0cfeed',
    'group\x1dgroup',
    '\ufeffmark',
    'no\u00a0break',
    '\U0001f600',
    '|',
    "''x",
    'x' * 300,
)
LINE_ENDS = ('\n', '\r\n', '\r')

#: What damage puts into a file.
TOKENS = (
    b'\xff\xfe',
    b'\xef\xbb\xbf',
    b'\x00',
    b'\xe9',
    b'\xed\xa0\x80',
    b' | ',
    b'\n\n',
    b'<!DOCTYPE a [<!ENTITY b "cc">]>',
    b'&b;',
    b'&#1;',
    b'&#xFEFF;',
    b'<![CDATA[a | b | c]]>',
    b'<!-- c -->',
    b'<a>' * 20,
    b'</entry>',
    b'<mtriple>a | b | c</mtriple>',
    b'encoding="utf-7"',
    b"encoding='hex'",
    b'y' * 70_000,
)
ENCODINGS = ('utf-8', 'utf-8-sig', 'utf-16', 'latin-1')


def kinds(folder: Path) -> dict[str, Kind]:
    """The kinds of calls.

    Args:
        folder: Where files are written.
    """
    return {
        'lines': partial(_lines, folder / 'triples.txt'),
        'nesting': _nesting,
        'xml': partial(_xml, folder / 'Airport.xml'),
    }


def _lines(path: Path, draw: random.Random) -> bool:
    graphs = _graphs(draw)
    end = draw.choice(LINE_ENDS)
    between = end * draw.randint(2, 3)
    text = between.join(
        end.join(' | '.join(triple) for triple in graph) for graph in graphs
    )
    encoding = draw.choice(ENCODINGS)
    form = draw.choice(('NFC', 'NFD'))
    content = unicodedata.normalize(form, text).encode(encoding, 'replace')
    is_damaged = draw.random() < 0.5
    path.write_bytes(_damage(draw, content) if is_damaged else content)
    try:
        found = read_triples(path)
    except ValueError as error:
        check_message(error, str(path), MAX_MESSAGE)
        assert is_damaged or not encoding.startswith('utf-8')
        return False
    if not is_damaged and encoding.startswith('utf-8'):
        assert found == [[_plain(t) for t in graph] for graph in graphs]
    # What was read is read again as it is.
    lines = '\n\n'.join('\n'.join(map(' | '.join, graph)) for graph in found)
    path.write_text(lines, encoding='utf-8', newline='')
    assert read_triples(path) == found
    for graph in found:
        other = [
            tuple(unicodedata.normalize('NFD', part) for part in triple)
            for triple in graph
        ]
        assert triples_to_graph(graph) == triples_to_graph(other)
    return True


def _nesting(draw: random.Random) -> bool:
    value = _value(draw, 0)
    is_graph = (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(_is_triple(part) for part in value)
    )
    for read in (linearize, triples_to_graph):
        try:
            out: Any = read(value)
        except ValueError as error:
            out = error
        assert is_graph != isinstance(out, ValueError), (value, out)
        assert is_graph or len(str(out)) < MAX_MESSAGE
    return is_graph


def _xml(path: Path, draw: random.Random) -> bool:
    # XML has no other control characters.
    entries = [
        [[part.translate({12: ' ', 29: ' '}) for part in t] for t in entry]
        for entry in _graphs(draw)
    ]
    encoding = draw.choice(ENCODINGS)
    said = encoding.removesuffix('-sig')
    text = f'<?xml version="1.0" encoding="{said}"?>{_release(entries)}'
    content = text.encode(encoding, 'xmlcharrefreplace')
    is_damaged = draw.random() < 0.5
    if is_damaged:
        content = _damage(draw, content)
    try:
        found = parse_file(content, path, 'train/Airport.xml')
    except CorruptDatasetError as error:
        check_message(error, str(path), MAX_MESSAGE)
        assert is_damaged
        return False
    if not is_damaged:
        assert [list(entry.triples) for entry in found] == [
            [_plain(t) for t in entry] for entry in entries
        ]
    for entry in found:
        triples_to_graph(entry.triples)
        linearize(entry.triples)
    return True


def _graphs(draw: random.Random) -> list[list[list[str]]]:
    return [
        [
            [draw.choice(NAMES) for _ in range(3)]
            for _ in range(draw.randint(1, 4))
        ]
        for _ in range(draw.randint(1, 3))
    ]


def _plain(triple: list[str]) -> tuple[str, ...]:
    return tuple(
        unicodedata.normalize('NFC', part.replace('\ufeff', ''))
        for part in triple
    )


def _release(entries: list[list[list[str]]]) -> str:
    inner = ''
    for number, entry in enumerate(entries):
        triples = ''.join(
            f'<mtriple>{escape(" | ".join(triple))}</mtriple>'
            for triple in entry
        )
        inner += (
            f'<entry category="Airport" eid={quoteattr(f"Id{number}")} '
            f'size="{len(entry)}">'
            f'<modifiedtripleset>{triples}</modifiedtripleset>'
            '<lex comment="good" lid="Id1">Text.</lex></entry>'
        )
    return f'<benchmark><entries>{inner}</entries></benchmark>'


def _damage(draw: random.Random, content: bytes) -> bytes:
    for _ in range(draw.randint(1, 3)):
        place = draw.randint(0, len(content))
        kind = draw.randrange(4)
        if kind == 0:
            content = content[:place]
        elif kind == 1:
            content = content[:place] + draw.choice(TOKENS) + content[place:]
        elif kind == 2:
            content = content[:place] + content[place + draw.randint(1, 9) :]
        elif place < len(content):
            byte = bytes([draw.randrange(256)])
            content = content[:place] + byte + content[place + 1 :]
    return content


def _value(draw: random.Random, depth: int) -> Any:
    kind = draw.random()
    if depth > 0 and kind < 0.2 + 0.3 * depth:
        good = ('a | b | c',) if depth == 1 else ('a', 'Alan_Bean', 'abc')
        odd = ('abc', 'a | b | c', ' ', '', None, 3, b'abc')
        return draw.choice(good if draw.random() < 0.8 else odd)
    if kind > 0.97:
        return {'a', 'b', 'c'} if draw.random() < 0.5 else {'a': 1}
    values = [_value(draw, depth + 1) for _ in range(draw.choice((0, 1, 3)))]
    return tuple(values) if draw.random() < 0.5 else values


def _is_triple(value: Any) -> bool:
    if isinstance(value, str):
        return value == 'a | b | c'
    return (
        isinstance(value, (list, tuple))
        and len(value) == 3
        and all(
            isinstance(part, str) and part.strip() and ' | ' not in part
            for part in value
        )
    )


def main(calls: int = 100_000, seed: int = 0) -> None:
    """Makes calls and prints what became of them.

    Args:
        calls: How many.
        seed: The seed of what is given.
    """
    report(kinds, calls, seed, MAX_SECONDS)


if __name__ == '__main__':
    run(main)
