"""The LightningModule of graphs of any kind, such as molecules."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gmoe.common.arguments import check_choice
from gmoe.nn import GNN
from gmoe.training.graph_module import GraphModule
from gmoe.training.kept_molecules import KeepsMolecules
from gmoe.training.losses import Loss
from gmoe.training.objective import Objective
from gmoe.training.schedule import Schedule
from gmoe.training.task import SCORES, Task


class GraphPredictor(KeepsMolecules, GraphModule):
    """Trains a :class:`~gmoe.nn.GNN` to predict properties of graphs; see
    :class:`GraphModule`.

    The loss is over labelled entries only. Where graphs have a
    :obj:`weight`, it is the factor of their losses.

    Args:
        dataset: The dataset's name, which decides on the evaluator.
        task_type: :obj:`"binary classification"`,
            :obj:`"multiclass classification"` or :obj:`"regression"`.
        metric: The name of the score that selects, a key of
            :obj:`~gmoe.training.METRIC_MODES`.
        learning_rate: Learning rate of Adam.
        weight_decay: Weight decay of Adam.
        balance_weight: The factor of the balance losses.
        standardize: Whether a regression learns targets of mean zero and
            standard deviation one in training, which are undone in all that
            is predicted.
        loss: :obj:`"squared_error"`, :obj:`"huber"` or :obj:`"quantile"` for
            a regression, :obj:`"cross_entropy"` or :obj:`"focal"` for classes
            (see :class:`~gmoe.training.losses.Loss`). (default: the first)
        huber_delta: The residual from which on Huber's loss is a line.
        quantile: The quantile that the loss of one predicts.
        focal_gamma: The exponent of the focal loss.
        label_smoothing: The share of the label that is spread over all
            categories, where there are several.
        class_weights: :obj:`"balanced"` for classes that count the same,
            whatever their shares of the training graphs (see
            :class:`~gmoe.training.label_weights.LabelWeights`).
        schedule: The learning rate after the warm-up: :obj:`"constant"`,
            :obj:`"linear"`, :obj:`"cosine"` or :obj:`"exponential"` (see
            :class:`~gmoe.training.schedule.Schedule`).
        warmup_epochs: The number of epochs in which the learning rate rises.
        start_factor: The share of the learning rate at which it starts.
        end_factor: The share of the learning rate at which a schedule ends.
            (default: 0.1 for :obj:`"exponential"`, else 0)
        decoupled: Whether weight decay is that of AdamW.
        **kwargs: Arguments of :class:`~gmoe.nn.GNN`.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        dataset: str,
        task_type: str = 'binary classification',
        metric: str = 'rocauc',
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        balance_weight: float = 0.1,
        standardize: bool = False,
        loss: str | None = None,
        huber_delta: float = 1.0,
        quantile: float = 0.5,
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weights: str | None = None,
        schedule: str = 'constant',
        warmup_epochs: float = 0.0,
        start_factor: float = 0.1,
        end_factor: float | None = None,
        decoupled: bool = False,
        **kwargs: Any,
    ) -> None:
        check_choice('task_type', task_type, SCORES)
        known = SCORES[task_type]
        if metric not in known:
            raise ValueError(
                f"'metric' must be one of {known} for {task_type!r}, got "
                f'{metric!r}'
            )
        gnn = GNN(**kwargs)
        task = Task(
            task_type,
            label_smoothing,
            Loss(loss, huber_delta, quantile, focal_gamma),
        )
        super().__init__(
            gnn,
            dataset,
            task_type,
            metric,
            learning_rate,
            weight_decay,
            balance_weight,
            label_smoothing,
            Schedule(schedule, warmup_epochs, start_factor, end_factor),
            decoupled,
            Objective(task, gnn.out_channels, standardize, class_weights),
        )
        self.save_hyperparameters()

    @property
    def target_mean(self) -> Tensor | None:
        """The mean of each target in training, if they are standardised."""
        scale = self.objective.target_scale
        return None if scale is None else scale.mean

    @property
    def target_std(self) -> Tensor | None:
        """The standard deviation of each target in training, if they are
        standardised."""
        scale = self.objective.target_scale
        return None if scale is None else scale.std
