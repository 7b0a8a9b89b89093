"""Molecules of OGB, split anew."""

from __future__ import annotations

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
        dataset: Any = self.dataset
        smiles = []
        for i in range(len(dataset)):
            text = dataset.smiles(i)
            found = prepare(text)
            is_read = isinstance(found, Molecule)
            smiles.append(found.canonical if is_read else text)
        self.splits = split(self.kind, smiles, seed=self.split_seed)
