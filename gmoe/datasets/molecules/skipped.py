"""What is left out of a table of molecules, and why."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gmoe.common.files import replace_text
from gmoe.datasets.molecules.molecule import Molecule, Refused


class Skipped(NamedTuple):
    """A row of a table that is left out.

    Args:
        row: Its line in the file.
        smiles: Its SMILES string, as it was written.
        reason: Why it is left out.
    """

    row: int
    smiles: str
    reason: str


def write_skipped(
    path: str | os.PathLike[str], skipped: Sequence[Skipped]
) -> None:
    """Writes what was left out as a CSV file, with the columns row, smiles
    and reason; only these if nothing was.

    Args:
        path: The file. Its folder is made if need be.
        skipped: The rows.

    Raises:
        OSError: If it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(Skipped._fields)
    writer.writerows(skipped)
    replace_text(Path(path), text.getvalue().encode(errors='replace').decode())


def describe_skipped(
    found: Sequence[Molecule | Refused], skipped: Sequence[Skipped]
) -> list[str]:
    """Says how many molecules are kept, how many are left out and why, and
    what is to be known of those that are kept.

    Args:
        found: What was decided about each row.
        skipped: The rows that are left out.
    """
    said = [f'{len(found) - len(skipped)} of {len(found)} molecules are kept']
    reasons = Counter(row.reason.split(':')[0] for row in skipped)
    said += [f'  left out: {n}: {why}' for why, n in reasons.most_common()]
    notes = Counter(
        note for m in found if isinstance(m, Molecule) for note in m.notes
    )
    return said + [f'  {n}: {note}' for note, n in notes.most_common()]
