"""The score of graphs whose labels are values, or one of two classes."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_accuracy

from gmoe.common.arguments import check_choice
from gmoe.datasets import import_ogb, ogb_mol_info
from gmoe.training.metrics.per_graph import PerGraph, undefined

#: Whether more is better, by the name that OGB gives the metric.
GRAPH_MODES = {'rocauc': 'max', 'ap': 'max', 'acc': 'max', 'rmse': 'min'}


class GraphScore(PerGraph):
    r"""The score of all graphs of a split: OGB's official Evaluator for its
    datasets, accuracy or the root of the mean squared error for others.

    Args:
        name: The dataset's name. For ``ogbg-*``, OGB's Evaluator of that
            dataset gives the score.
        metric: The metric's name, a key of :obj:`GRAPH_MODES`.

    Shapes:
        - **update:** predictions :math:`(B, C)` (probabilities or values),
          targets :math:`(B, C)` with NaN where there is none, graph ids
          :math:`(B)`

    Raises:
        ValueError: If the metric is unknown, or is not that of the dataset.
    """

    def __init__(self, name: str, metric: str) -> None:
        super().__init__()
        check_choice('metric', metric, GRAPH_MODES)
        of_ogb = name.startswith('ogbg-')
        fits = [ogb_mol_info(name).eval_metric] if of_ogb else ['acc', 'rmse']
        if metric not in fits:
            raise ValueError(
                f"'metric' must be {' or '.join(map(repr, fits))} for the "
                f"dataset '{name}', got {metric!r}"
            )
        self.name = name
        self.metric = metric

    def update(
        self, prediction: Tensor, target: Tensor, graph_id: Tensor
    ) -> None:
        """Adds a batch."""
        prediction, target = prediction.detach(), target.detach()
        self._keep(prediction.float(), target.float(), graph_id)

    def compute(self) -> Tensor:
        """The score; NaN, with a warning, where it is not defined."""
        prediction, target = self._kept()
        labelled = ~target.isnan()
        if not labelled.any():
            return undefined('no entry is labelled')
        if not prediction[labelled].isfinite().all():
            return undefined('a prediction is not finite')
        if not self.name.startswith('ogbg-'):
            if self.metric == 'rmse':
                error = prediction[labelled] - target[labelled]
                return error.square().mean().sqrt()
            return binary_accuracy(
                prediction[labelled], target[labelled].long()
            )
        module = import_ogb('ogb.graphproppred.evaluate')
        evaluator = module.Evaluator(self.name)
        try:
            score = evaluator.eval(
                {'y_true': target.numpy(), 'y_pred': prediction.numpy()}
            )
        except RuntimeError as error:
            if 'No positively labeled data' not in str(error):
                raise
            return undefined(str(error))
        return torch.tensor(float(score[self.metric]), dtype=torch.float64)
