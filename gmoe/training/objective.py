"""What a network learns: targets, their scale, their weights and the loss."""

from __future__ import annotations

from torch import Tensor, nn
from torch_geometric.data import Data

from gmoe.training.label_weights import LabelWeights
from gmoe.training.target_scale import TargetScale
from gmoe.training.task import Task, rows_of
from gmoe.training.task_data_module import TaskDataModule


class Objective(nn.Module):
    """A task, with the statistics of the training graphs that its losses and
    predictions need.

    Args:
        task: The task.
        num_outputs: The number of outputs of the network.
        standardize: Whether a regression learns targets of mean zero and
            standard deviation one in training. Losses then are those of such
            targets; predictions are in the targets' units.
        class_weights: How classes are weighted, as
            :class:`~gmoe.training.label_weights.LabelWeights` takes it.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        task: Task,
        num_outputs: int,
        standardize: bool = False,
        class_weights: str | None = None,
    ) -> None:
        super().__init__()
        self.task = task
        self.target_scale: TargetScale | None = None
        if standardize and task.is_regression:
            self.target_scale = TargetScale(num_outputs)
        self.label_weights = LabelWeights(task, num_outputs, class_weights)

    def fit(self, data: TaskDataModule, is_training: bool) -> None:
        """Takes the statistics of the training graphs. A network that was
        trained keeps the scale of its targets, which its weights fit.

        Args:
            data: The data.
            is_training: Whether the network is trained with it.
        """
        self.label_weights.fit_graphs(data.train_weights())
        if is_training and self.label_weights.by_class is not None:
            self.label_weights.fit_classes(data.train_targets())
        scale = self.target_scale
        if is_training and scale is not None and not scale.is_fitted:
            scale.fit(data.train_targets())

    def loss(self, out: Tensor, batch: Data) -> tuple[Tensor, Tensor]:
        """The loss of a batch and its weight, as
        :meth:`~gmoe.training.task.Task.loss` has them.

        Args:
            out: The network's output, of shape ``[num_graphs, num_outputs]``.
            batch: The graphs, with their :obj:`y` and :obj:`weight`.
        """
        return self.task.loss(
            out, self._target(out, batch.y), self._weight(out, batch)
        )

    def entry_loss(self, out: Tensor, batch: Data) -> tuple[Tensor, Tensor]:
        """The loss of each entry, and whether it has a label, as
        :meth:`~gmoe.training.task.Task.entry_loss` has them. The arguments
        are those of :meth:`loss`.
        """
        return self.task.entry_loss(
            out, self._target(out, batch.y), self._weight(out, batch)
        )

    def mean_loss(self, out: Tensor, y: Tensor) -> Tensor:
        """The loss where all labels count the same.

        Args:
            out: The network's output, of shape ``[num_graphs, num_outputs]``.
            y: The targets.
        """
        return self.task.loss(out, self._target(out, y))[0]

    def prediction(self, out: Tensor) -> Tensor:
        """Probabilities for classification, values in the targets' units for
        regression.

        Args:
            out: The network's output, of shape ``[num_graphs, num_outputs]``.
        """
        prediction = self.task.prediction(out)
        if self.target_scale is None:
            return prediction
        return self.target_scale.to_units(prediction)

    def _target(self, out: Tensor, y: Tensor) -> Tensor:
        if self.target_scale is None:
            return y
        return self.target_scale.to_standard(y.view(out.shape))

    def _weight(self, out: Tensor, batch: Data) -> Tensor | None:
        y = rows_of(batch.y, len(out))
        return self.label_weights(y, batch.get('weight'))
