"""The parts of WebNLG that models are trained on and compared on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from gmoe.datasets import WebNLGEntry, webnlg_split
from gmoe.datasets.webnlg import CATEGORIES

NUMBER = {name: i for i, name in enumerate(CATEGORIES)}

#: How many entries of each part a quick run takes.
QUICK = {'train': 160, 'dev': 48, 'test': 96}


@dataclass(frozen=True)
class Parts:
    """Both protocols at once, since they train on the same entries.

    Args:
        train: The training entries.
        dev: The development entries.
        test: The distinct test graphs.
        kind: What is new in each of these: ``seen``, ``unseen_entities`` or
            ``unseen_category``.
        repeated: For each test entry of the protocol ``published``, which
            of the distinct graphs it is.
    """

    train: Sequence[WebNLGEntry]
    dev: Sequence[WebNLGEntry]
    test: Sequence[WebNLGEntry]
    kind: Sequence[str]
    repeated: np.ndarray

    def labels(self, part: str) -> np.ndarray:
        """The numbers of the categories of a part.

        Args:
            part: ``train``, ``dev`` or ``test``.
        """
        return np.array([NUMBER[e.category] for e in getattr(self, part)])


@lru_cache(maxsize=1)
def load_parts(root: str | Path, is_quick: bool = False) -> Parts:
    """Reads the release.

    Args:
        root: The folder that holds it.
        is_quick: Whether to take a slice only.
    """
    clean = webnlg_split(root, 'clean', download=False)
    published = webnlg_split(root, 'published', download=False, log=False)
    train, dev, test, kind = clean.train, clean.dev, clean.test, clean.kind
    if is_quick:
        # Evenly over the files, which are sorted by size and category.
        train, dev = quick_slice(train, 'train'), quick_slice(dev, 'dev')
        test, kind = quick_slice(test, 'test'), quick_slice(kind, 'test')
    position = {entry.key: i for i, entry in enumerate(test)}
    repeated = [
        position[entry.key]
        for entry in published.test
        if entry.key in position
    ]
    return Parts(train, dev, test, kind, np.array(repeated))


def quick_slice(values: Any, part: str) -> Any:
    """Some of the entries of a part, evenly over all of it.

    Args:
        values: One value per entry, as a list or a tensor.
        part: ``train``, ``dev`` or ``test``.
    """
    step = len(values) / QUICK[part]
    index = [int(i * step) for i in range(QUICK[part])]
    if isinstance(values, Tensor):
        return values[index]
    return [values[i] for i in index]
