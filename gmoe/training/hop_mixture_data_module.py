"""The LightningDataModule of the embedded dataset."""

from __future__ import annotations

from typing import Any

from gmoe.datasets import HopMixture
from gmoe.training.graph_data_module import GraphDataModule


class HopMixtureDataModule(GraphDataModule):
    """The embedded :class:`~gmoe.datasets.HopMixture` dataset.

    Args:
        num_graphs: Number of graphs of all splits together.
        seed: The seed of the dataset.
        **kwargs: Arguments of :class:`GraphDataModule`.

    Raises:
        ValueError: If an argument is out of range.
    """

    name = 'hop-mixture'
    num_tasks, num_classes = HopMixture.num_tasks, 2
    task_type = HopMixture.task_type
    eval_metric = HopMixture.eval_metric
    node_dims = HopMixture.node_feature_dims
    edge_dims = HopMixture.edge_feature_dims
    graph_dims = None

    def __init__(
        self,
        num_graphs: int = 10_000,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_graphs = num_graphs
        self.seed = seed

    def load(self) -> HopMixture:
        return HopMixture(self.num_graphs, self.seed)
