"""The kinds of tasks: their losses, predictions and scores."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional

from gmoe.common.arguments import check_choice, check_share
from gmoe.common.distributed import is_distributed
from gmoe.datasets.molecules.info import BINARY, MULTICLASS, REGRESSION
from gmoe.training.losses import Loss
from gmoe.training.metrics import (
    CATEGORY_SCORES,
    CLASS_MODES,
    VALUE_MODES,
    CategoryScore,
    GraphScore,
    GraphScores,
    LinkScore,
)
from gmoe.training.metrics.category_score import UNKNOWN

#: The scores of each type of task.
SCORES: dict[str, tuple[str, ...]] = {
    BINARY: (*CLASS_MODES, 'acc'),
    MULTICLASS: CATEGORY_SCORES,
    REGRESSION: tuple(VALUE_MODES),
}
TASK_TYPES = tuple(SCORES)
#: Tasks of which all scores take too long for each epoch.
MANY_TASKS = 50


class Task:
    """The task that a network is trained for.

    Args:
        kind: One of :obj:`TASK_TYPES`.
        label_smoothing: The share of the label that is spread over all
            categories, where there are several.
        loss: The loss. (default: squared error or cross entropy)

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        kind: str,
        label_smoothing: float = 0.0,
        loss: Loss | None = None,
    ) -> None:
        check_choice('task_type', kind, TASK_TYPES)
        check_share(label_smoothing=label_smoothing)
        self.is_multiclass = kind == MULTICLASS
        self.is_regression = kind == REGRESSION
        self.label_smoothing = label_smoothing
        self.label_loss = loss or Loss()
        self.label_loss.check(self.is_regression)

    def loss(
        self, out: Tensor, y: Tensor, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The loss over labelled entries, as their mean over the joint batch
        of all processes, zero if there are none; and its weight: a process's
        mean number of graphs with all labels.

        Args:
            out: Logits or values of shape ``[num_graphs, num_outputs]``.
            y: Targets of the same shape, NaN where there is none; for
                categories, one integer per graph, -1 where it is not known.
            weight: The factors of the losses, of shape ``[num_graphs, 1]`` or
                that of the entries, one on average. (default: one)
        """
        if self.is_multiclass and weight is None and self._is_plain:
            return self._plain_cross_entropy(out, y)
        loss, labelled = self.entry_loss(out, y, weight)
        count = _per_process(labelled.sum().to(loss.dtype))
        return loss.sum() / count.clamp(min=1e-12), count / loss.size(1)

    def entry_loss(
        self, out: Tensor, y: Tensor, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The loss of each entry, zero where there is no label, and where
        there is one: of shape ``[num_graphs, 1]`` for categories. The
        arguments are those of :meth:`loss`."""
        out = _at_least_float32(out)
        if self.is_multiclass:
            loss = self.label_loss.categories(
                out, y, UNKNOWN, self.label_smoothing
            ).unsqueeze(1)
            labelled = (y != UNKNOWN).unsqueeze(1)
        else:
            y = y.view(out.shape).to(out.dtype)
            labelled = ~y.isnan()
            target = torch.where(labelled, y, torch.zeros_like(y))
            if self.is_regression:
                loss = self.label_loss.values(out, target)
            else:
                loss = self.label_loss.two_classes(out, target)
            loss = loss * labelled
        return (loss if weight is None else loss * weight), labelled

    @property
    def _is_plain(self) -> bool:
        return self.label_loss.name in (None, 'cross_entropy')

    def _plain_cross_entropy(
        self, out: Tensor, y: Tensor
    ) -> tuple[Tensor, Tensor]:
        # All in one, which rounds as earlier trainings did.
        loss = functional.cross_entropy(
            _at_least_float32(out),
            y,
            ignore_index=UNKNOWN,
            label_smoothing=self.label_smoothing,
        )
        count = (y != UNKNOWN).sum().to(loss.dtype)
        joint = _per_process(count)
        # The mean over no graph is NaN, with gradients of zero.
        loss = torch.where(count > 0, loss, 0.0)
        return loss * (count / joint.clamp(min=1e-12)), joint

    def target(self, out: Tensor, y: Tensor) -> Tensor:
        """The targets as the score takes them. The arguments are those of
        :meth:`loss`."""
        return y if self.is_multiclass else y.view(out.shape)

    def prediction(self, out: Tensor) -> Tensor:
        """Probabilities for classification, values for regression.

        Args:
            out: Logits or values of shape ``[num_graphs, num_outputs]``.
        """
        out = out.float()
        if self.is_multiclass:
            return out.softmax(dim=1)
        return out if self.is_regression else out.sigmoid()

    def score(
        self,
        dataset: str,
        metric: str,
        num_outputs: int,
        is_often: bool = False,
    ) -> GraphScore | CategoryScore | LinkScore:
        """The scores of a split. The dataset and the metric are those of
        :class:`~gmoe.training.GraphModule`.

        Args:
            dataset: The dataset's name.
            metric: The score that selects.
            num_outputs: The number of outputs of the network.
            is_often: Whether they are for each epoch, and not once: of many
                tasks, then, only that one, as all take seconds.
        """
        if self.is_multiclass:
            return CategoryScore(num_outputs)
        is_main = is_often and num_outputs > MANY_TASKS
        return (GraphScore if is_main else GraphScores)(dataset, metric)


def rows_of(y: Tensor, count: int) -> Tensor:
    """Targets, a row for each graph, also where there is none.

    Args:
        y: The targets.
        count: The number of graphs.
    """
    if count == 0:
        return y.view(0, y.size(1) if y.dim() > 1 else 1)
    return y.view(count, -1)


def _at_least_float32(out: Tensor) -> Tensor:
    return out.to(torch.promote_types(out.dtype, torch.float32))


def _per_process(count: Tensor) -> Tensor:
    if is_distributed():
        # Gradients are averaged over processes, so each divides by the mean
        # number of labels.
        count = count.clone()
        dist.all_reduce(count)
        count = count / dist.get_world_size()
    return count
