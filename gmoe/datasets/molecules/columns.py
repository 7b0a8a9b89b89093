"""Finds the columns of a table of molecules."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import numpy as np

from gmoe.common.require import require
from gmoe.common.shown import shown
from gmoe.datasets.molecules.molecule import MAX_LENGTH
from gmoe.datasets.molecules.values import PAIRS, Column, key

#: Names of columns of SMILES strings, the best first, without what is no
#: letter.
SMILES_NAMES = (
    'smiles',
    'canonicalsmiles',
    'isomericsmiles',
    'smilesstring',
    'smi',
    'mol',
    'molecule',
    'structure',
    'compound',
    'drug',
    'ligand',
)
_SAMPLE = 50

#: Arguments that may be several columns.
_SEVERAL = ('targets', 'feature_columns')

#: Names of columns that are found to be no targets, and why.
_NOT_TARGETS = {
    r'.*\bid|.*_id|id\b.*|cid|cas|index|idx|num|no\.?|nr\.?|number|row|#': (
        'a name of identifiers'
    ),
    r'unnamed.*|column \d+': 'without a name',
    r'split|set|fold|folds|part|subset|scaffold|group|cluster': (
        'a name of parts: pass it as the split to use it'
    ),
    r'weights?|sample.?weights?': 'a name of weights: pass it to use it',
    r'.*predicted.*': 'a name of predictions',
    r'mw|mol(ecular)?.?(weight|wt)|minimum degree|number of .*|tpsa|'
    r'polar surface area|(num|n).?(atoms|rings|bonds)': (
        'a name of what follows from the structure'
    ),
}


class NoNamesError(ValueError):
    """The first line of a file has molecules in place of names."""


def position(header: Sequence[str], name: str, argument: str) -> int:
    """Returns where a column is.

    Args:
        header: The names of the columns.
        name: The column's name.
        argument: What it is for, for messages.

    Raises:
        ValueError: If it is not there, with the nearest names, or twice.
    """
    found = [i for i, column in enumerate(header) if column == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(
            f"'{argument}' must be the name of one column, got {shown(name)}, "
            f'of {len(found)} columns'
        )
    is_list = ',' in str(name) and argument in _SEVERAL
    raise ValueError(
        f"'{argument}' must be a column of the file, {nearest(header, name)}, "
        f'got {shown(name)}'
        + (': several are written as "[A,B]"' if is_list else '')
    )


def nearest(header: Sequence[str], name: str) -> str:
    """Says which names of columns are nearest to one that is not there.

    Args:
        header: The names of the columns.
        name: The name.
    """
    lower = {column.lower(): column for column in reversed(header)}
    near = difflib.get_close_matches(str(name).lower(), lower, 3, 0.5)
    names = [lower[text] for text in near] or list(header)
    start = 'the nearest of' if near else 'one of'
    return f'{start} {shown(names, 300)}'


def find_smiles(
    header: Sequence[str], columns: Sequence[Sequence[str]]
) -> int:
    """Returns where the column of SMILES strings is: by its name, or else as
    the only one of which RDKit can read most.

    Args:
        header: The names of the columns.
        columns: The cells of each, or some of them.

    Raises:
        NoNamesError: If the first line has a molecule in place of its name.
        ValueError: If there is none, or several are no better than others.
    """
    plain = [re.sub('[^a-z]', '', name.lower()) for name in header]
    for name in SMILES_NAMES:
        for i, column in enumerate(plain):
            if column == name and _is_smiles(columns[i], 0.5):
                return i
    found = [i for i, name in enumerate(plain) if 'smiles' in name]
    if len(found) != 1:
        found = [i for i in range(len(header)) if _is_smiles(columns[i], 0.8)]
    if len(found) != 1:
        got = 'none' if not found else f'{[header[i] for i in found[:9]]}'
        hint = '' if found else f' among {shown(list(header), 200)}'
        raise ValueError(
            "The file must have one column of SMILES strings, named 'smiles' "
            f"or given as 'smiles', below a line of names, got {got}{hint}"
        )
    name = header[found[0]]
    if 'smiles' not in plain[found[0]] and _is_smiles([name], 0.5):
        # Or else the first molecule is lost.
        raise NoNamesError(
            'The file must have a first line with the names of the columns, '
            f"got the SMILES string {shown(name)} in it: write 'smiles' above "
            'it'
        )
    return found[0]


def _is_smiles(cells: Sequence[str], share: float) -> bool:
    """Whether RDKit reads at least a share of a column's first cells."""
    chem = require('rdkit.Chem', 'mol')
    texts = [cell.split()[0] for cell in cells if cell][:_SAMPLE]
    if not texts:
        return False
    # Words of a letter or two are elements, too, and names of classes.
    if share > 0.5 and sum(map(len, texts)) < 3 * len(texts):
        return False
    with require('rdkit.rdBase', 'mol').BlockLogs():
        count = sum(
            len(text) <= MAX_LENGTH
            and chem.MolFromSmiles(text, sanitize=False) is not None
            for text in texts
        )
    return count >= share * len(texts)


def kind(column: Column) -> str:
    """The kind of a column's labels: ``'blank'``, ``'constant'``,
    ``'binary'``, ``'classes'`` (three to ten whole numbers without a gap),
    ``'numbers'`` or ``'text'``.

    Args:
        column: The column.
    """
    if not column.num_labels:
        return 'blank'
    values = column.values()
    if not column.is_numeric:
        words = {key(value) for value in values}
        is_pair = len(words) > 1 and any(words == set(p) for p in PAIRS)
        return 'binary' if is_pair else 'text'
    if column.words:
        return 'numbers'
    if len(values) == 1:
        return 'constant'
    numbers = column.numbers[~column.is_missing]
    is_whole = bool((numbers == np.round(numbers)).all())
    if len(values) == 2:
        return 'binary' if is_whole else 'numbers'
    least, most = numbers.min(), numbers.max()
    has_gap = most - least + 1 != len(values)
    if is_whole and len(values) <= 10 and not has_gap and least in (0, 1):
        _, counts = np.unique(numbers, return_counts=True)
        if counts.min() >= 2:
            return 'classes'
    return 'numbers'


def no_target(column: Column) -> str | None:
    """Why a column is not taken for a target; :obj:`None` if it is.

    Args:
        column: The column.
    """
    name = column.name.strip().lower()
    for pattern, reason in _NOT_TARGETS.items():
        if re.fullmatch(pattern, name):
            return reason
    found = kind(column)
    if found == 'blank':
        return 'no values'
    if found == 'text':
        return 'text'
    if found == 'constant':
        return f'one value, {shown(column.values()[0])}'
    if found == 'numbers' and _counts_rows(column.numbers):
        return 'row numbers'
    return None


def _counts_rows(numbers: np.ndarray) -> bool:
    is_whole = bool((numbers == np.round(numbers)).all())
    is_next = bool((np.diff(numbers) == 1).all())
    return numbers.size > 2 and is_whole and is_next
