"""The part of a LightningModule that predicts, and scores predictions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from gmoe.routing import Routing
from gmoe.routing.router import NonFiniteError
from gmoe.training.metrics import METRIC_MODES, SplitMetrics
from gmoe.training.objective import Objective
from gmoe.training.task import Task, rows_of
from gmoe.training.watched_module import WatchedModule


class EvaluatedModule(WatchedModule):
    """A LightningModule that scores its predictions for graphs. Called with
    a batch, it returns the network's outputs and the routings.

    Args:
        objective: What is learned.
        dataset: The dataset's name, which decides on the evaluator.
        metric: The name of the score, a key of
            :obj:`~gmoe.training.METRIC_MODES`.
        num_outputs: The number of outputs of the network.
    """

    def __init__(
        self, objective: Objective, dataset: str, metric: str, num_outputs: int
    ) -> None:
        super().__init__()
        self.objective = objective
        self.metric = metric
        self.splits = nn.ModuleDict(
            {
                split: SplitMetrics(
                    self.task.score(
                        dataset, metric, num_outputs, split != 'test'
                    )
                )
                for split in ('val', 'test', 'test_curve')
            }
        )

    @property
    def task(self) -> Task:
        """The task that the network is trained for."""
        return self.objective.task

    @property
    def mode(self) -> str:
        """``"max"`` or ``"min"``: which score is better."""
        return METRIC_MODES[self.metric]

    def to_prediction(self, out: Tensor) -> Tensor:
        """Probabilities for classification, values in the targets' units for
        regression.

        Args:
            out: The network's output, of shape ``[num_graphs, num_outputs]``.
        """
        return self.objective.prediction(out)

    def _predict(self, batch: Data) -> tuple[Tensor, list[Routing]]:
        try:
            return self(batch)
        except NonFiniteError as error:
            if self.is_fitting:
                step = self.global_step if self.training else None
                self.end_as_diverged(f'a router says that {error}', step)
            raise

    def _evaluate(self, split: str, batch: Data) -> None:
        out, _ = self._predict(batch)
        self._split(split).update(
            self.to_prediction(out),
            self.task.target(out, batch.y),
            self.objective.entry_loss(out, batch),
            batch.graph_id,
        )

    def _split(self, name: str) -> SplitMetrics:
        split = self.splits[name]
        assert isinstance(split, SplitMetrics)
        return split

    def _log_split(self, name: str) -> None:
        split = self._split(name)
        if split.is_empty:
            return
        loss, is_broken = split.mean_loss()
        if is_broken and name == 'val' and self.is_fitting:
            self.end_as_diverged('the validation loss is not finite')
        for key, value in {'loss': loss, **split.scores()}.items():
            self.log(
                f'{name}/{key}',
                value.to(self.device, torch.float32),
                prog_bar=key == self.metric,
                sync_dist=True,
            )
        split.reset()

    def on_validation_epoch_start(self) -> None:
        super().on_validation_epoch_start()
        # One that was interrupted leaves its batches.
        self._split('val').reset()
        self._split('test_curve').reset()

    def validation_step(
        self, batch: Data, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._evaluate(('val', 'test_curve')[dataloader_idx], batch)

    def on_validation_epoch_end(self) -> None:
        self._log_split('val')
        self._log_split('test_curve')

    def on_test_epoch_start(self) -> None:
        self._split('test').reset()

    def test_step(self, batch: Data, batch_idx: int) -> None:
        self._evaluate('test', batch)

    def on_test_epoch_end(self) -> None:
        self._log_split('test')

    def predict_step(self, batch: Data, batch_idx: int) -> dict[str, Tensor]:
        out, _ = self(batch)
        return {
            'graph_id': batch.graph_id,
            'prediction': self.to_prediction(out),
            'target': rows_of(self.task.target(out, batch.y), len(out)),
        }
