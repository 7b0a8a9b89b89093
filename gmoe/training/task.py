"""The kinds of tasks: their losses, predictions and scores."""

from __future__ import annotations

from torch import Tensor

from gmoe.common.arguments import check_choice, check_dropout
from gmoe.training.losses import (
    MULTICLASS,
    category_entry_loss,
    category_loss,
    entry_loss,
    labelled_loss,
)
from gmoe.training.metrics import CategoryScore, GraphScore

TASK_TYPES = ('binary classification', MULTICLASS, 'regression')


class Task:
    """The task that a network is trained for.

    Args:
        kind: One of :obj:`TASK_TYPES`.
        label_smoothing: The share of the label that is spread over all
            categories, where there are several.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, kind: str, label_smoothing: float = 0.0) -> None:
        check_choice('task_type', kind, TASK_TYPES)
        check_dropout(label_smoothing=label_smoothing)
        self.is_multiclass = kind == MULTICLASS
        self.is_regression = kind == 'regression'
        self.label_smoothing = label_smoothing

    def loss(self, out: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The loss over labelled entries, as their mean over the joint batch
        of all processes, and its weight: a number of graphs with all labels.

        Args:
            out: Logits or values of shape ``[num_graphs, num_outputs]``.
            y: Targets of the same shape, NaN where there is none; for
                categories, one integer per graph, -1 where it is not known.
        """
        if self.is_multiclass:
            return category_loss(out, y, self.label_smoothing)
        loss, labels = labelled_loss(out, y, self.is_regression)
        return loss, labels / out.size(1)

    def entry_loss(self, out: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of each entry, zero where there is no label, and where
        there is one. The arguments are those of :meth:`loss`."""
        if self.is_multiclass:
            return category_entry_loss(out, y, self.label_smoothing)
        return entry_loss(out, y, self.is_regression)

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
        self, dataset: str, metric: str, num_outputs: int
    ) -> GraphScore | CategoryScore:
        """The score of a split. The arguments are those of
        :class:`~gmoe.training.GraphModule`."""
        if self.is_multiclass:
            return CategoryScore(num_outputs)
        return GraphScore(dataset, metric)
