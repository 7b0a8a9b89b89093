"""The LightningDataModule of OGB's molecules."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from gmoe.datasets import OGBMolDataset, ogb_mol_info
from gmoe.datasets.molecules.features import MoleculeFeatures
from gmoe.datasets.ogb.molecule_info import info_of_ogb
from gmoe.nn import ATOM_FEATURE_DIMS, BOND_FEATURE_DIMS
from gmoe.training.graph_data_module import GraphDataModule


class OGBMolDataModule(GraphDataModule):
    """Any ``ogbg-mol*`` dataset with OGB's official split.

    Args:
        name: The dataset's name.
        root: The folder that holds it, in OGB's layout, or is to hold it.
        cache_dir: Where the parsed dataset is kept, and nowhere else.
            (default: the environment variable :obj:`GMOE_CACHE_DIR`, the
            dataset's own folder, or, where that cannot be written, one in
            the user's cache)
        download: Whether a missing dataset may be downloaded.
        features: Features of whole molecules, made of the dataset's SMILES
            strings: kinds of
            :class:`~gmoe.datasets.molecules.MoleculeFeatures`, or none. They
            are kept in the cache, and what they are in checkpoints.
        **kwargs: Arguments of :class:`GraphDataModule`.

    Raises:
        ValueError: If the name is unknown or an argument is out of range.
    """

    node_dims = ATOM_FEATURE_DIMS
    edge_dims = BOND_FEATURE_DIMS
    graph_dims = None

    def __init__(
        self,
        name: str,
        root: str | Path = 'data/ogb',
        cache_dir: str | Path | None = None,
        download: bool = True,
        features: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        info = ogb_mol_info(name)
        self.name = name
        self.root = root
        self.cache_dir = cache_dir
        self.download = download
        self.num_tasks = info.num_tasks
        self.num_classes = info.num_classes
        self.task_type = info.task_type
        self.eval_metric = info.eval_metric
        self.features: MoleculeFeatures | None = None
        if features is not None:
            self.features = MoleculeFeatures(features)
            self.graph_dims = len(self.features.names)

    @cached_property
    def molecules(self) -> dict[str, Any] | None:
        """What a checkpoint keeps of the molecules, as plain values, if they
        have features: without, the dataset's name tells all."""
        if self.features is None:
            return None
        info = info_of_ogb(self.name, self.features)
        return {'info': info.to_dict(), 'is_ogb': True}

    def load(self) -> OGBMolDataset:
        dataset = OGBMolDataset(
            self.name,
            self.root,
            cache_dir=self.cache_dir,
            download=self.download,
        )
        if self.features is not None:
            smiles = [dataset.smiles(i) for i in range(len(dataset))]
            values = self.features.compute(
                smiles, is_kept=True, cache_dir=self.cache_dir
            )
            dataset.hold_graph_attr(torch.from_numpy(values))
        return dataset
