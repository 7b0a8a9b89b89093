"""Molecules of OGB, split anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gmoe.datasets.molecules.molecule import Molecule, prepare
from gmoe.datasets.molecules.splits import split
from gmoe.training import OGBMolDataModule


class SplitAgain(OGBMolDataModule):
    """A dataset of OGB with a split of another kind.

    Args:
        name: The dataset's name.
        kind: The kind of split; see
            :func:`gmoe.datasets.molecules.splits.split`.
        split_seed: Its seed.
        **kwargs: Arguments of :class:`~gmoe.training.OGBMolDataModule`.
    """

    def __init__(
        self, name: str, kind: str, split_seed: int, **kwargs: Any
    ) -> None:
        super().__init__(name, **kwargs)
        self.kind = kind
        self.split_seed = split_seed

    def setup(self, stage: str | None = None) -> None:
        if self.dataset is not None:
            return
        super().setup(stage)
        smiles = _canonical(self.name, Path(self.root), self.dataset)
        self.splits = split(self.kind, smiles, seed=self.split_seed)


#: Canonical SMILES strings by dataset, which all of its splits share.
_known: dict[tuple[str, Path], list[str]] = {}


def _canonical(name: str, root: Path, dataset: Any) -> list[str]:
    if (name, root) not in _known:
        given = [dataset.smiles(i) for i in range(len(dataset))]
        found = [prepare(text) for text in given]
        _known[name, root] = [
            molecule.canonical if isinstance(molecule, Molecule) else text
            for molecule, text in zip(found, given)
        ]
    return _known[name, root]
