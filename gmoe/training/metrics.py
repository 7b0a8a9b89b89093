"""Scores of a whole split, and how much each expert is used."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import (
    binary_accuracy,
    multiclass_accuracy,
    multiclass_f1_score,
)

from gmoe.datasets import import_ogb, ogb_mol_info
from gmoe.routing import Routing
from gmoe.training.losses import UNKNOWN

#: Whether more is better, by the name that OGB gives the metric.
METRIC_MODES = {
    'rocauc': 'max',
    'ap': 'max',
    'acc': 'max',
    'rmse': 'min',
    'accuracy': 'max',
    'weighted_f1': 'max',
    'macro_f1': 'max',
}

#: The scores of categories.
CATEGORY_SCORES = ('weighted_f1', 'accuracy', 'macro_f1')


class GraphScore(Metric):
    r"""The score of all graphs of a split: OGB's official Evaluator for its
    datasets, accuracy or the root of the mean squared error for others.

    Graphs that several processes saw, because a distributed sampler fills up
    its last batch, count once.

    Args:
        name: The dataset's name. For ``ogbg-*``, OGB's Evaluator of that
            dataset gives the score.
        metric: The metric's name, a key of :obj:`METRIC_MODES`.

    Shapes:
        - **update:** predictions :math:`(B, C)` (probabilities or values),
          targets :math:`(B, C)` with NaN where there is none, graph ids
          :math:`(B)`

    Raises:
        ValueError: If the metric is unknown, or is not that of the dataset.
    """

    full_state_update = False
    predictions: list[Tensor]
    targets: list[Tensor]
    graph_ids: list[Tensor]

    def __init__(self, name: str, metric: str) -> None:
        super().__init__()
        known = [name for name in METRIC_MODES if name not in CATEGORY_SCORES]
        if metric not in known:
            raise ValueError(
                f"'metric' must be one of {known}, got {metric!r}"
            )
        of_ogb = name.startswith('ogbg-')
        fits = [ogb_mol_info(name).eval_metric] if of_ogb else ['acc', 'rmse']
        if metric not in fits:
            raise ValueError(
                f"'metric' must be {' or '.join(map(repr, fits))} for the "
                f"dataset '{name}', got {metric!r}"
            )
        self.name = name
        self.metric = metric
        for state in ('predictions', 'targets', 'graph_ids'):
            self.add_state(state, default=[], dist_reduce_fx='cat')

    def update(
        self, prediction: Tensor, target: Tensor, graph_id: Tensor
    ) -> None:
        """Adds a batch."""
        self.predictions.append(prediction.detach().float())
        self.targets.append(target.detach().float())
        self.graph_ids.append(graph_id)

    def compute(self) -> Tensor:
        """The score; NaN, with a warning, where it is not defined."""
        keep = _each_once(_cat(self.graph_ids).cpu())
        prediction = _cat(self.predictions).cpu()[keep]
        target = _cat(self.targets).cpu()[keep]
        labelled = ~target.isnan()
        if not labelled.any():
            return _undefined('no entry is labelled')
        if not prediction[labelled].isfinite().all():
            return _undefined('a prediction is not finite')
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
            return _undefined(str(error))
        return torch.tensor(float(score[self.metric]), dtype=torch.float64)


class CategoryScore(Metric):
    """The scores of all graphs of a split that have one category each:
    accuracy, and the F1 score averaged over categories, weighted by their
    number of graphs and unweighted. A category that is neither there nor
    predicted is left out of the average.

    Graphs that several processes saw count once, those of unknown category
    not at all.

    Args:
        num_classes: The number of categories.

    Shapes:
        - **update:** predictions :math:`(B, C)` (probabilities), categories
          :math:`(B)` with -1 where it is not known, graph ids :math:`(B)`

    Raises:
        ValueError: If there are fewer than two categories.
    """

    full_state_update = False
    predictions: list[Tensor]
    targets: list[Tensor]
    graph_ids: list[Tensor]

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(
                f"'num_classes' must be at least 2, got {num_classes}"
            )
        self.num_classes = num_classes
        for state in ('predictions', 'targets', 'graph_ids'):
            self.add_state(state, default=[], dist_reduce_fx='cat')

    def update(
        self, prediction: Tensor, target: Tensor, graph_id: Tensor
    ) -> None:
        """Adds a batch."""
        prediction = prediction.detach()
        finite = prediction.isfinite().all(dim=1)
        self.predictions.append(
            torch.where(finite, prediction.argmax(dim=1), UNKNOWN)
        )
        self.targets.append(target.detach())
        self.graph_ids.append(graph_id)

    def compute(self) -> dict[str, Tensor]:
        """The scores by name; NaN, with a warning, where they are not
        defined.
        """
        keep = _each_once(_cat(self.graph_ids).cpu())
        prediction = _cat(self.predictions).cpu()[keep]
        target = _cat(self.targets).cpu()[keep]
        known = target != UNKNOWN
        prediction, target = prediction[known], target[known]
        reason = None
        if not known.any():
            reason = 'no category is known'
        elif (prediction == UNKNOWN).any():
            reason = 'a prediction is not finite'
        if reason is not None:
            return dict.fromkeys(CATEGORY_SCORES, _undefined(reason))
        size = self.num_classes
        return {
            'weighted_f1': multiclass_f1_score(
                prediction, target, size, average='weighted'
            ),
            'accuracy': multiclass_accuracy(
                prediction, target, size, average='micro'
            ),
            'macro_f1': multiclass_f1_score(
                prediction, target, size, average='macro'
            ),
        }


class SplitLoss(Metric):
    """The loss of all labels of a split: the same in batches of any size, on
    any number of processes. Graphs that several processes saw count once.

    Shapes:
        - **update:** losses :math:`(B, C)`, zero where there is no label,
          whether there is one :math:`(B, C)`, graph ids :math:`(B)`
    """

    full_state_update = False
    losses: list[Tensor]
    labels: list[Tensor]
    graph_ids: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for state in ('losses', 'labels', 'graph_ids'):
            self.add_state(state, default=[], dist_reduce_fx='cat')

    def update(self, loss: Tensor, labelled: Tensor, graph_id: Tensor) -> None:
        """Adds a batch."""
        self.losses.append(loss.detach().sum(dim=1))
        self.labels.append(labelled.sum(dim=1))
        self.graph_ids.append(graph_id)

    def compute(self) -> tuple[Tensor, Tensor]:
        """The sum over all labels, and their number."""
        keep = _each_once(_cat(self.graph_ids).cpu())
        loss = _cat(self.losses).cpu()[keep].double()
        return loss.sum(), _cat(self.labels).cpu()[keep].sum()


class WeightedMean(Metric):
    """The mean of values, each with a weight; NaN where all weights are zero.

    ``MeanMetric`` of torchmetrics drops values that are NaN, or the weights.
    """

    full_state_update = False
    total: Tensor
    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        for state in ('total', 'weight'):
            self.add_state(state, torch.tensor(0.0), dist_reduce_fx='sum')

    def update(self, value: Tensor, weight: Tensor | int) -> None:
        """Adds a value."""
        self.total = self.total + value.detach() * weight
        self.weight = self.weight + weight

    def compute(self) -> Tensor:
        """The mean."""
        return self.total / self.weight


class ExpertUsage(Metric):
    """How many nodes each expert of each mixture layer handled.

    Args:
        num_layers: Number of mixture layers.
        num_experts: Number of experts of each of them.
    """

    full_state_update = False
    counts: Tensor

    def __init__(self, num_layers: int, num_experts: int) -> None:
        super().__init__()
        self.add_state(
            'counts',
            default=torch.zeros(num_layers, num_experts, dtype=torch.long),
            dist_reduce_fx='sum',
        )

    def update(self, routings: Sequence[Routing]) -> None:
        """Adds the routings of a forward pass."""
        self.counts += torch.stack([routing.counts for routing in routings])

    def compute(self) -> Tensor:
        """The share of each layer's assignments that went to each expert, of
        shape ``[num_layers, num_experts]``.
        """
        total = self.counts.sum(dim=1, keepdim=True).clamp(min=1)
        return self.counts / total


def _each_once(graph_id: Tensor) -> Tensor:
    # The position of the first row of each graph.
    order = torch.argsort(graph_id, stable=True)
    first = torch.ones_like(order, dtype=torch.bool)
    first[1:] = graph_id[order].diff() != 0
    return order[first]


def _cat(values: list[Tensor] | Tensor) -> Tensor:
    # Reduction over processes replaces a list by one tensor.
    return torch.cat(values) if isinstance(values, list) else values


def _undefined(reason: str) -> Tensor:
    rank_zero_warn(f'The score is not defined: {reason}')
    return torch.tensor(float('nan'))
