"""Graphs of one's own: values or classes, features and weights of graphs."""

from typing import Any

import torch

from gmoe.datasets import HopMixture
from gmoe.training import GraphPredictor, HopMixtureDataModule
from gmoe.training.task import MULTICLASS
from tests.training import tiny

#: Kinds of tasks: the score that selects, and the number of outputs.
KINDS = {
    'regression': ('rmse', 2),
    'binary classification': ('acc', 2),
    MULTICLASS: ('accuracy', 3),
}
#: The number of features of a graph.
FEATURES = 3


class OwnGraphs(HopMixtureDataModule):
    """The embedded graphs with other targets, of which some are missing, and
    features of graphs that tell most of the targets.

    Args:
        kind: The type of the task.
        features: Whether graphs have features.
        weights: Whether graphs have weights.
        eval_metric: The score that selects.
        **kwargs: Arguments of the base class.
    """

    def __init__(
        self,
        kind: str = 'regression',
        features: bool = True,
        weights: bool = False,
        eval_metric: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**tiny.DATA, **kwargs})
        self.name = 'mine'
        self.task_type = kind
        self.eval_metric = eval_metric or KINDS[kind][0]
        self.num_tasks = 1 if kind == MULTICLASS else KINDS[kind][1]
        self.num_classes = 3 if kind == MULTICLASS else None
        self.graph_dims = FEATURES if features else None
        self.has_weights = weights

    def load(self) -> HopMixture:
        dataset = super().load()
        generator = torch.Generator().manual_seed(0)
        z = torch.randn(len(dataset), FEATURES, generator=generator)
        data = dataset._data
        if self.task_type == 'regression':
            data.y = torch.stack([50 + 10 * z[:, 0], -3 + 0.1 * z[:, 1]], 1)
            data.y[::7, 0] = torch.nan
        elif self.task_type == MULTICLASS:
            data.y = z.argmax(dim=1)
            data.y[::7] = -1
        else:
            data.y = (z[:, :2] > 0).float()
            data.y[::7, 0] = torch.nan
        single = dataset.slices['y']
        if self.graph_dims is not None:
            data.graph_attr = z.exp()
            data.graph_attr[0, 2] = torch.nan
            dataset.slices['graph_attr'] = single
        if self.has_weights:
            weight = torch.rand(len(dataset), 1, generator=generator)
            data.weight = 100 * weight
            dataset.slices['weight'] = single
        return dataset


def make_own_model(data: OwnGraphs, **kwargs: Any) -> GraphPredictor:
    """A model for such graphs."""
    return tiny.make_model(
        **{
            'dataset': data.name,
            'task_type': data.task_type,
            'metric': data.eval_metric,
            'out_channels': data.num_outputs,
            'graph_dims': data.graph_dims,
            **kwargs,
        }
    )
