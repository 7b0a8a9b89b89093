"""The scores of graphs whose labels are values, or one of two classes."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_accuracy

from gmoe.common.arguments import check_choice
from gmoe.datasets import import_ogb, ogb_mol_info
from gmoe.training.metrics.label_scores import (
    CLASS_MODES,
    VALUE_MODES,
    label_scores,
)
from gmoe.training.metrics.per_graph import PerGraph, undefined

#: Whether more is better, by the names that OGB gives its metrics, and others.
GRAPH_MODES = {**CLASS_MODES, 'acc': 'max', **VALUE_MODES}


class GraphScore(PerGraph):
    r"""The score of all graphs of a split: that of OGB's official Evaluator
    for its datasets, any other one for others.

    Args:
        name: The dataset's name. For ``ogbg-*``, OGB's Evaluator of that
            dataset gives the score.
        metric: The metric's name, a key of :obj:`GRAPH_MODES`. Of several
            tasks, the score is averaged (see
            :func:`~gmoe.training.metrics.label_scores.label_scores`);
            :obj:`"acc"` is the accuracy of all labels together.

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
        self.is_official = name.startswith('ogbg-')
        if self.is_official and metric != ogb_mol_info(name).eval_metric:
            raise ValueError(
                f"'metric' must be {ogb_mol_info(name).eval_metric!r} for the "
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
        reason = _reason(prediction, target)
        if reason is not None:
            return undefined(reason)
        return self._score(prediction, target)

    def _score(self, prediction: Tensor, target: Tensor) -> Tensor:
        if self.is_official:
            return self._official(prediction, target)
        if self.metric == 'acc':
            labelled = ~target.isnan()
            return binary_accuracy(
                prediction[labelled], target[labelled].long()
            )
        score = label_scores([self.metric], prediction, target)[self.metric]
        if score.isnan():
            return undefined(f'{self.metric} needs labels that differ')
        return score

    def _official(self, prediction: Tensor, target: Tensor) -> Tensor:
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


class GraphScores(GraphScore):
    """The score that selects, and beside it all others of such labels. The
    arguments are those of :class:`GraphScore`.
    """

    def compute(self) -> dict[str, Tensor]:  # type: ignore[override]
        """The scores by name, first the one that selects; NaN, with a
        warning, where one is not defined."""
        modes = VALUE_MODES if self.metric in VALUE_MODES else CLASS_MODES
        others = [name for name in modes if name != self.metric]
        prediction, target = self._kept()
        reason = _reason(prediction, target)
        if reason is not None:
            return dict.fromkeys([self.metric, *others], undefined(reason))
        scores = label_scores(others, prediction, target)
        main = self._score(prediction, target)
        missing = [name for name in others if scores[name].isnan()]
        if missing and not main.isnan():
            # Nobody has asked for these.
            reason = f'{", ".join(missing)} need labels that differ'
            undefined(reason, RuntimeWarning)
        return {self.metric: main, **scores}


def _reason(prediction: Tensor, target: Tensor) -> str | None:
    labelled = ~target.isnan()
    if not labelled.any():
        return 'no entry is labelled'
    if not prediction[labelled].isfinite().all():
        return 'a prediction is not finite'
    return None
