"""The splits of SAMSum, or a slice of each."""

from __future__ import annotations

from pathlib import Path

from gmoe.datasets import SAMSum

#: The number of entries of each split with ``quick``.
_SLICE = {'train': 64, 'validation': 16, 'test': 16}

#: The dialogues and the summaries of a split.
Part = tuple[list[str], list[str]]


def load_parts(root: Path, quick: bool = False) -> dict[str, Part]:
    """The dialogues and the summaries of each split.

    Args:
        root: The folder of SAMSum.
        quick: Whether the first entries of each are enough.
    """
    parts = {}
    for split, few in _SLICE.items():
        data = SAMSum(root, split, download=False)
        count = few if quick else len(data)
        parts[split] = (data.dialogues[:count], data.summaries[:count])
    return parts
