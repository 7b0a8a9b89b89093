"""The LightningModule of graphs of any kind, such as molecules."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gmoe.common.arguments import check_choice
from gmoe.nn import GNN
from gmoe.training.graph_module import GraphModule

#: The scores that fit a kind of task.
_METRICS = {
    'binary classification': ('rocauc', 'ap', 'acc'),
    'regression': ('rmse',),
}


class GraphPredictor(GraphModule):
    """Trains a :class:`~gmoe.nn.GNN` to predict properties of graphs; see
    :class:`GraphModule`.

    The loss is over labelled entries only: binary cross entropy, or squared
    error.

    Args:
        dataset: The dataset's name, which decides on the evaluator.
        task_type: :obj:`"binary classification"` or :obj:`"regression"`.
        metric: The name of the score, a key of
            :obj:`~gmoe.training.METRIC_MODES`.
        learning_rate: Learning rate of Adam.
        weight_decay: Weight decay of Adam.
        balance_weight: The factor of the balance losses.
        standardize: Whether a regression learns targets of mean zero and
            standard deviation one in training, which are undone in all that
            is predicted.
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
        **kwargs: Any,
    ) -> None:
        check_choice('task_type', task_type, _METRICS)
        known = _METRICS[task_type]
        if metric not in known:
            raise ValueError(
                f"'metric' must be one of {known} for {task_type!r}, got "
                f'{metric!r}'
            )
        super().__init__(
            GNN(**kwargs),
            dataset,
            task_type,
            metric,
            learning_rate,
            weight_decay,
            balance_weight,
            standardize=standardize,
        )
        self.save_hyperparameters()

    @property
    def target_mean(self) -> Tensor | None:
        """The mean of each target in training, if they are standardised."""
        return None if self.target_scale is None else self.target_scale.mean

    @property
    def target_std(self) -> Tensor | None:
        """The standard deviation of each target in training, if they are
        standardised."""
        return None if self.target_scale is None else self.target_scale.std
