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
import time
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from benchmarks.common.options import run
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


def fuzz(calls: int, seed: int, folder: Path) -> dict[str, Counter[str]]:
    """Makes calls, of the three kinds in turn.

    Args:
        calls: How many.
        seed: The seed of what is given.
        folder: Where files are written.

    Returns:
        How many calls of each kind were accepted and refused.

    Raises:
        AssertionError: If something is accepted, refused or read that should
            not be, with the call's number and kind.
    """
    kinds: dict[str, Callable[[random.Random, Path], bool]] = {
        'lines': _lines,
        'nesting': _nesting,
        'xml': _xml,
    }
    counts = {name: Counter({'accepted': 0, 'refused': 0}) for name in kinds}
    for number in range(calls):
        name = list(kinds)[number % len(kinds)]
        start = time.monotonic()
        try:
            good = kinds[name](random.Random(f'{seed} {number}'), folder)
        except Exception as error:
            raise AssertionError(
                f'call {number} of seed {seed} ({name}): {error!r}'
            ) from error
        seconds = time.monotonic() - start
        assert seconds < MAX_SECONDS, (number, name, seconds)
        counts[name]['accepted' if good else 'refused'] += 1
    return counts


def _lines(draw: random.Random, folder: Path) -> bool:
    path = folder / 'triples.txt'
    graphs = [
        [_triple(draw) for _ in range(draw.randint(1, 4))]
        for _ in range(draw.randint(1, 3))
    ]
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
        _check_message(error, path)
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


def _nesting(draw: random.Random, folder: Path) -> bool:
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


def _xml(draw: random.Random, folder: Path) -> bool:
    path = folder / 'Airport.xml'
    entries = [
        [_triple(draw) for _ in range(draw.randint(1, 4))]
        for _ in range(draw.randint(1, 3))
    ]
    # XML has no other control characters.
    entries = [
        [[part.translate({12: ' ', 29: ' '}) for part in t] for t in entry]
        for entry in entries
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
        _check_message(error, path)
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


def _triple(draw: random.Random) -> list[str]:
    return [draw.choice(NAMES) for _ in range(3)]


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


def _check_message(error: Exception, path: Path) -> None:
    message = str(error)
    assert str(path) in message, message
    assert len(message) < MAX_MESSAGE + len(str(path)), len(message)


def main(calls: int = 100_000, seed: int = 0) -> None:
    """Makes calls and prints what became of them.

    Args:
        calls: How many.
        seed: The seed of what is given.
    """
    start = time.monotonic()
    with TemporaryDirectory() as name:
        counts = fuzz(calls, seed, Path(name))
    for kind, count in counts.items():
        print(
            f'{kind}: {count["accepted"]} accepted, {count["refused"]} refused'
        )
    print(f'{calls} calls in {time.monotonic() - start:.0f} s, none wrong')


if __name__ == '__main__':
    run(main)
