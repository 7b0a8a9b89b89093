"""Scores of a whole split, and how much each expert is used."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import binary_accuracy

from gmoe.datasets import import_ogb, ogb_mol_info
from gmoe.routing import Routing

#: Whether more is better, by the name that OGB gives the metric.
METRIC_MODES = {'rocauc': 'max', 'ap': 'max', 'acc': 'max', 'rmse': 'min'}


class GraphScore(Metric):
    r"""The score of all graphs of a split: OGB's official Evaluator for its
    datasets, accuracy for others.

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
        if metric not in METRIC_MODES:
            raise ValueError(
                f"'metric' must be one of {list(METRIC_MODES)}, got {metric!r}"
            )
        of_ogb = name.startswith('ogbg-')
        expected = ogb_mol_info(name).eval_metric if of_ogb else 'acc'
        if metric != expected:
            raise ValueError(
                f"'metric' must be '{expected}' for the dataset '{name}', got "
                f'{metric!r}'
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
        graph_id = _cat(self.graph_ids).cpu()
        order = torch.argsort(graph_id, stable=True)
        first = torch.ones_like(order, dtype=torch.bool)
        first[1:] = graph_id[order].diff() != 0
        keep = order[first]
        prediction = _cat(self.predictions).cpu()[keep]
        target = _cat(self.targets).cpu()[keep]
        labelled = ~target.isnan()
        if not labelled.any():
            return _undefined('no entry is labelled')
        if not prediction[labelled].isfinite().all():
            return _undefined('a prediction is not finite')
        if not self.name.startswith('ogbg-'):
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


def _cat(values: list[Tensor] | Tensor) -> Tensor:
    # Reduction over processes replaces a list by one tensor.
    return torch.cat(values) if isinstance(values, list) else values


def _undefined(reason: str) -> Tensor:
    rank_zero_warn(f'The score is not defined: {reason}')
    return torch.tensor(float('nan'))
