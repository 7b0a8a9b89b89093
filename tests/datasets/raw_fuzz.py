"""Damages raw files at random: they are read right, or refused by name.

    python -m tests.datasets.raw_fuzz --cases 20000

Each case alters bytes or values of one or two files, or their compressed
form. A reader of ten lines, without pandas, says what the files hold.
"""

import argparse
import gzip
import math
import random
import re
import tempfile
import time
import zlib
from collections import Counter
from pathlib import Path

import torch

from gmoe.datasets.ogb.info import ogb_mol_info
from gmoe.datasets.ogb.raw import (
    CorruptDatasetError,
    parse_raw,
    read_raw_bytes,
)
from gmoe.datasets.table import decompress
from gmoe.nn.encoders.embedding import ATOM_FEATURE_DIMS, BOND_FEATURE_DIMS
from tests.datasets.conftest import TABLES, write_tables

#: What a cell is replaced by.
VALUES = (
    '', '0', '1', '2', '-1', '5', '7', '118', '119', '255', '256', '65536',
    '2147483647', '2147483648', '4294967296', '4611686018427387904',
    '9223372036854775807', '9223372036854775808', '-9223372036854775808',
    '9' * 30, 'nan', 'NA', 'inf', '-inf', '1e400', '0.5', '1.0', '1e2',
    'True', '"1"', ' 1', '1 ', '0x1', '1_0', 'x', '\x00', '\ufeff', '\u0663',
)  # fmt: skip
_INTEGER = re.compile(r' *[+-]?\d+(\.0*)? *', re.ASCII)
_NUMBER = re.compile(
    r' *[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)? *|[+-]?inf(inity)?', re.A | re.I
)
_MISSING = {
    *('', '#N/A', '#N/A N/A', '#NA', '-1.#IND', '-1.#QNAN', '-NaN', '-nan'),
    *('1.#IND', '1.#QNAN', '<NA>', 'N/A', 'NA', 'NULL', 'NaN', 'None'),
    *('n/a', 'nan', 'null'),
}


class Refused(Exception):
    """A file does not hold what it should."""


def rows_of(text: bytes, columns: int, labels: int | None) -> list[list]:
    """Reads a table, slowly; with a number of labels, they may be missing."""
    lines = re.split('\r?\n', text.removeprefix(b'\xef\xbb\xbf').decode())
    lines[-1] = lines[-1].rstrip(' \r')
    if not lines[-1]:
        lines.pop()  # Not a line, but what follows the last one.
    blank = 0
    while lines and not lines[-1].strip(' \r'):
        lines.pop()
        blank += 1
    if labels is not None and columns == 1:
        lines += [''] * min(blank, max(0, labels - len(lines)))
    return [
        [_value(cell, labels is not None) for cell in _cells(line, columns)]
        for line in lines
    ]


def _cells(line: str, columns: int) -> list[str]:
    cells = line.split(',')
    if len(cells) != columns:
        raise Refused
    return cells


def _value(cell: str, is_label: bool) -> float:
    if is_label and cell in _MISSING:
        return math.nan
    if not (_NUMBER if is_label else _INTEGER).fullmatch(cell):
        raise Refused
    if is_label:
        return float(cell)
    value = int(cell.split('.')[0])
    if not -(2**63) <= value < 2**63:
        raise Refused
    return value


def expected(texts: dict[str, bytes], info) -> dict[str, list]:
    """Returns what raw files hold."""
    read = {name: rows_of(texts[name], 1, None) for name in SIZES}
    nodes, edges = ([row[0] for row in read[name]] for name in SIZES)
    x = rows_of(texts['node-feat'], 9, None)
    edge = rows_of(texts['edge'], 2, None)
    attr = rows_of(texts['edge-feat'], 3, None)
    y = rows_of(texts['graph-label'], info.num_tasks, len(nodes))
    sizes = len(nodes), len(x), len(edge), len(y)
    if sizes != (len(edges), sum(nodes), sum(edges), len(nodes)):
        raise Refused
    if len(attr) != len(edge) or not nodes or min(*nodes, *edges, 0) < 0:
        raise Refused
    owner = [n for n, count in zip(nodes, edges) for _ in range(count)]
    for rows, high in ((x, ATOM_FEATURE_DIMS), (attr, BOND_FEATURE_DIMS)):
        if any(not 0 <= v < h for row in rows for v, h in zip(row, high)):
            raise Refused
    if any(not 0 <= v < n for row, n in zip(edge, owner) for v in row):
        raise Refused
    if any(math.isinf(v) for row in y for v in row):
        raise Refused
    if info.task_type != 'regression' and any(
        v not in (0, 1) and not math.isnan(v) for row in y for v in row
    ):
        raise Refused
    return {
        'num_nodes': nodes,
        'num_edges': edges,
        'x': x,
        'edge': edge,
        'edge_attr': attr,
        'y': y,
    }


SIZES = ('num-node-list', 'num-edge-list')


def damage(text: bytes, rng: random.Random) -> bytes:
    """Alters a table."""
    kind = rng.randrange(8)
    lines = text.split(b'\n')
    line = rng.randrange(len(lines))
    if kind <= 2:  # A value.
        cells = lines[line].split(b',')
        cells[rng.randrange(len(cells))] = rng.choice(VALUES).encode()
        lines[line] = b','.join(cells)
    elif kind == 3:  # A line more, or less, or another order.
        other = rng.randrange(len(lines))
        lines[line], lines[other] = lines[other], lines[line]
        if rng.random() < 0.7:
            lines[line : line + 1] = rng.choice([[], [lines[line]] * 2])
    elif kind == 4:
        return rng.choice([b'\xef\xbb\xbf', b'\n', b'\r\n', b',']) + text
    elif kind == 5:
        return text + rng.choice([b'\n', b'\n\n', b'\r\n', b' ', b',', b'0'])
    else:  # A byte more, less, or another.
        i = rng.randrange(len(text) + 1)
        new = rng.choice(
            [bytes([rng.randrange(256)]), *map(_byte, b'01,\n\r')]
        )
        end = i + rng.randrange(2)
        return text[:i] + rng.choice([b'', new]) + text[end:]
    return b'\n'.join(lines)


def _byte(value: int) -> bytes:
    return bytes([value])


def fuzz(
    folder: Path, cases: int, seed: int = 0, regression: bool = False
) -> Counter[str]:
    """Damages a small dataset, and checks each outcome.

    Args:
        folder: A folder to work in.
        cases: How many times.
        seed: The seed.
        regression: Whether the labels are one column of any numbers.

    Returns:
        How many were accepted, and how many refused.
    """
    name = 'ogbg-molesol' if regression else 'ogbg-moltox21'
    info = ogb_mol_info(name)
    label = {'raw/graph-label': ['0.5', '', '-2']} if regression else {}
    write_tables(folder, {**TABLES, **label})
    raw_dir = folder / 'raw'
    intact = read_raw_bytes(raw_dir)
    rng = random.Random(seed)
    counts: Counter[str] = Counter()
    for case in range(cases):
        raw = dict(intact)
        for key in rng.sample(sorted(raw), rng.choice([1, 1, 2])):
            text = damage(decompress(raw[key], raw_dir / key), rng)
            raw[key] = gzip.compress(text, 1, mtime=0)
            if rng.random() < 0.1:
                raw[key] = damage(raw[key], rng)
        try:
            texts = {
                key.removesuffix('.csv.gz'): gzip.decompress(content)
                for key, content in raw.items()
            }
            right = expected(texts, info)
        except (Refused, OSError, EOFError, ValueError, zlib.error):
            right = None
        error = None
        try:
            got = parse_raw(raw, raw_dir, info)
        except CorruptDatasetError as e:
            error = e
        if error is not None:
            assert right is None, (seed, case, raw, str(error))
            assert error.path.name in raw, (seed, case)
            assert str(error.path) in str(error), (seed, case)
            assert len(str(error)) < 1000, (seed, case)
            counts['refused'] += 1
            continue
        assert right is not None, (seed, case, raw, got)
        for key, value in got.items():
            want = torch.tensor(right[key], dtype=torch.float64)
            same = value.double().view(want.shape)
            if key == 'y':
                want, same = want.float(), same.float()
            torch.testing.assert_close(
                same, want, rtol=1e-6, atol=0, equal_nan=True
            )
        counts['accepted'] += 1
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--cases', type=int, default=20_000)
    parser.add_argument('--seed', type=int, default=0)
    arguments = parser.parse_args()
    start = time.perf_counter()
    for regression in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            counts = fuzz(
                Path(folder), arguments.cases, arguments.seed, regression
            )
        what = 'one label' if regression else 'twelve labels'
        print(f'{what}: {dict(counts)}')
    print(f'{time.perf_counter() - start:.0f} seconds')


if __name__ == '__main__':
    main()
