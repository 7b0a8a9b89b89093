"""How much each label counts in the loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gmoe.common.arguments import check_choice
from gmoe.training.metrics.category_score import UNKNOWN
from gmoe.training.task import Task

#: How classes are weighted, besides not at all.
CLASS_WEIGHTS = ('balanced',)


class LabelWeights(nn.Module):
    r"""The weight of each label: that of its graph, times that of its class.

    Both are one on average over the training graphs: the weights of graphs
    are divided by their mean, and with :obj:`class_weights` those of the
    :math:`C` classes are :math:`n / (C n_c)`, where :math:`n_c` of the
    :math:`n` labels of a task are of class :math:`c`, so that each class
    counts the same.

    Args:
        task: The task.
        num_outputs: The number of outputs of the network.
        class_weights: :obj:`"balanced"` or :obj:`None`.

    Raises:
        ValueError: If an argument is out of range, or the task has no
            classes.
    """

    by_class: Tensor | None

    def __init__(
        self, task: Task, num_outputs: int, class_weights: str | None = None
    ) -> None:
        super().__init__()
        check_choice('class_weights', class_weights, (None, *CLASS_WEIGHTS))
        if class_weights is not None and task.is_regression:
            raise ValueError(
                "'class_weights' must be None for regression, got "
                f'{class_weights!r}'
            )
        self.is_multiclass = task.is_multiclass
        self.mean_weight = 1.0
        weights = None
        if class_weights is not None:
            shape = (
                (1, num_outputs) if task.is_multiclass else (num_outputs, 2)
            )
            weights = torch.ones(shape)
        self.register_buffer('by_class', weights)

    def fit_graphs(self, weights: Tensor | None) -> None:
        """Takes the mean of the weights of the training graphs.

        Args:
            weights: The weights, of shape ``[num_graphs]``, if there are
                some.

        Raises:
            ValueError: If there is a negative one, or none is positive.
        """
        self.mean_weight = 1.0
        if weights is None:
            return
        mean = float(weights.double().mean())
        if not (weights >= 0).all() or not 0 < mean < float('inf'):
            raise ValueError(
                "'weights' of the training graphs must be numbers >= 0, some "
                f'of them positive, got a mean of {mean:g} and a least of '
                f'{float(weights.min()):g}'
            )
        self.mean_weight = mean

    def fit_classes(self, targets: Tensor) -> None:
        """Takes the classes of the training graphs, if they are weighted.

        Args:
            targets: Classes of shape ``[num_graphs, num_tasks]``, NaN where
                there is none; or categories of shape ``[num_graphs]``, -1
                where it is not known.
        """
        if self.by_class is None:
            return
        num_classes = self.by_class.size(1)
        y = targets.detach().cpu()
        y = y.view(len(y), -1).nan_to_num(UNKNOWN).long()
        classes = torch.arange(num_classes)
        count = (y.unsqueeze(-1) == classes).sum(dim=0).double()
        # A class that is not there has no share of the labels.
        present = (count > 0).sum(dim=1, keepdim=True)
        weight = count.sum(dim=1, keepdim=True) / (present * count)
        self.by_class.copy_(torch.where(count > 0, weight, 1.0))

    def forward(self, y: Tensor, weight: Tensor | None) -> Tensor | None:
        """The weights of the labels of a batch: of the shape of :obj:`y`, or
        one column; or :obj:`None` where all are one.

        Args:
            y: Classes of shape ``[num_graphs, num_tasks]``, or categories of
                shape ``[num_graphs]``, as :meth:`fit_classes` takes them; or
                values.
            weight: The weights of the graphs, of shape ``[num_graphs]``, if
                there are some.
        """
        weights = None
        if weight is not None:
            weights = weight.view(-1, 1) / self.mean_weight
        if self.by_class is not None:
            label = y.view(len(y), -1).nan_to_num(0.0).clamp(min=0).long()
            # The weight of each entry's class, in the row of its task.
            task = torch.arange(label.size(1), device=label.device)
            of_class = self.by_class[task, label]
            weights = of_class if weights is None else weights * of_class
        return weights
