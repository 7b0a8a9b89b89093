"""The LightningDataModule of the Long Range Graph Benchmark's peptides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gmoe.datasets import PeptidesFunc
from gmoe.training.graph_data_module import GraphDataModule


class PeptidesDataModule(GraphDataModule):
    """:class:`~gmoe.datasets.PeptidesFunc` with the official split.

    Args:
        root: The folder with the folder ``peptides-func``.
        cache_dir: Where graphs are kept, and nowhere else. (default: the
            environment variable :obj:`GMOE_CACHE_DIR`, the dataset's own
            folder, or, where that cannot be written, one in the user's cache)
        **kwargs: Arguments of :class:`GraphDataModule`.

    Raises:
        ValueError: If an argument is out of range.
    """

    name = 'peptides-func'
    num_tasks, num_classes = PeptidesFunc.num_tasks, PeptidesFunc.num_classes
    task_type = PeptidesFunc.task_type
    eval_metric = PeptidesFunc.eval_metric
    node_dims = PeptidesFunc.node_feature_dims
    edge_dims = PeptidesFunc.edge_feature_dims
    graph_dims = None

    def __init__(
        self,
        root: str | Path = 'data/lrgb',
        cache_dir: str | Path | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.root = root
        self.cache_dir = cache_dir

    def load(self) -> PeptidesFunc:
        return PeptidesFunc(self.root, cache_dir=self.cache_dir)
