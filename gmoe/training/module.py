"""The LightningModule: losses, scores and logs around a GNN."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.data import Data

from gmoe.nn import GNN, TripleGNN
from gmoe.nn.ogb_codes import check_featurization
from gmoe.routing import Routing, balance_loss
from gmoe.training.losses import labelled_loss
from gmoe.training.metrics import (
    METRIC_MODES,
    CategoryScore,
    ExpertUsage,
    GraphScore,
)
from gmoe.transforms import check_two_hop

CATEGORIES = 'multiclass classification'
TASK_TYPES = ('binary classification', CATEGORIES, 'regression')


class GraphModule(LightningModule):
    r"""Trains a network to predict properties of graphs.

    The loss is that of the task (cross entropy or squared error), plus
    :math:`\lambda` times the importance and load losses of the routers,
    averaged over layers (`GMoE <https://arxiv.org/abs/2304.02806>`_). In
    distributed training, both are those of the joint batch of all processes.

    Args:
        gnn: The network, which has :obj:`num_experts`, :obj:`moe_layers` and
            :obj:`num_hops`.
        num_outputs: The number of outputs of the network.
        dataset: The dataset's name, which decides on the evaluator.
        task_type: One of :obj:`TASK_TYPES`.
        metric: The name of the score, a key of
            :obj:`~gmoe.training.METRIC_MODES`.
        learning_rate: Learning rate of Adam.
        weight_decay: Weight decay of Adam.
        balance_weight: The factor :math:`\lambda`.
        label_smoothing: The share of the label that is spread over all
            categories, where there are several.
        schedule: The learning rate over the run: :obj:`"constant"`, or
            :obj:`"linear"` from its value down to zero.
        decoupled: Whether weight decay is that of AdamW.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        gnn: GNN | TripleGNN,
        num_outputs: int,
        dataset: str,
        task_type: str,
        metric: str,
        learning_rate: float,
        weight_decay: float,
        balance_weight: float,
        label_smoothing: float = 0.0,
        schedule: str = 'constant',
        decoupled: bool = False,
    ) -> None:
        super().__init__()
        for name, choice, known in (
            ('task_type', task_type, TASK_TYPES),
            ('schedule', schedule, ('constant', 'linear')),
        ):
            if choice not in known:
                raise ValueError(
                    f"'{name}' must be one of {known}, got {choice!r}"
                )
        for name, value in (
            ('learning_rate', learning_rate),
            ('weight_decay', weight_decay),
            ('balance_weight', balance_weight),
        ):
            if not value >= 0:
                raise ValueError(f"'{name}' must be at least 0, got {value}")
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                f"'label_smoothing' must be in [0, 1), got {label_smoothing}"
            )
        self.task_type = task_type
        self.metric = metric
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.balance_weight = balance_weight
        self.label_smoothing = label_smoothing
        self.schedule = schedule
        self.decoupled = decoupled
        self.gnn = gnn
        self.scores = nn.ModuleDict(
            {
                split: CategoryScore(num_outputs)
                if task_type == CATEGORIES
                else GraphScore(dataset, metric)
                for split in ('val', 'test', 'test_curve')
            }
        )
        self.usage: ExpertUsage | None = None
        if gnn.moe_layers:
            self.usage = ExpertUsage(len(gnn.moe_layers), gnn.num_experts)

    @property
    def mode(self) -> str:
        """``"max"`` or ``"min"``: which score is better."""
        return METRIC_MODES[self.metric]

    def setup(self, stage: str) -> None:
        data = getattr(self.trainer, 'datamodule', None)
        hop_2_missing = getattr(data, 'two_hop', self) is None
        if self.gnn.num_hops == 2 and hop_2_missing:
            raise ValueError(
                "'two_hop' of the data must be 'exact' or 'released' for a "
                'network that looks at hop-2 edges, got None'
            )

    def forward(self, data: Data) -> tuple[Tensor, list[Routing]]:
        """Predicts one row per graph: logits or values, and the routings.

        Raises:
            ValueError: If hop-2 edges are out of date (see
                :func:`~gmoe.transforms.check_two_hop`), molecules have
                other codes than OGB's, or an input is wrong.
        """
        if self.gnn.num_hops == 2 and data.edge_index.device.type == 'cpu':
            check_two_hop(data)
        if getattr(self.gnn, 'reads_atoms', False):
            check_featurization(data)
        return self.gnn(
            data.x,
            data.edge_index,
            data.edge_attr,
            data.batch,
            data.get('edge_index_2hop'),
            data.get('edge_attr_2hop'),
            batch_size=None if data.batch is None else data.num_graphs,
            return_routing=True,
        )

    def task_loss(self, out: Tensor, y: Tensor) -> Tensor:
        """The loss over labelled entries, as their mean over the joint batch
        of all processes; zero if there are none.

        For categories, `y` is one integer per graph.

        Args:
            out: Logits or values of shape ``[num_graphs, num_tasks]``.
            y: Targets of the same shape, NaN where there is none.
        """
        if self.task_type == CATEGORIES:
            return functional.cross_entropy(
                out.float(), y, label_smoothing=self.label_smoothing
            )
        return labelled_loss(out, y, self.task_type == 'regression')

    def training_step(self, batch: Data, batch_idx: int) -> Tensor:
        out, routings = self(batch)
        task = self.task_loss(out, batch.y)
        loss = task
        log = {'train/task_loss': task}
        if self.usage is not None:
            balance = balance_loss(routings, sync_dist=True)
            loss = task + self.balance_weight * balance
            log['train/balance_loss'] = balance
            self.usage.update(routings)
        log['train/loss'] = loss
        self.log_dict(
            {name: value.detach() for name, value in log.items()},
            on_step=False,
            on_epoch=True,
            sync_dist=True,
            batch_size=batch.num_graphs,
        )
        return loss

    def on_train_epoch_end(self) -> None:
        if self.usage is None:
            return
        share = self.usage.compute()
        self.usage.reset()
        if not self.trainer.loggers:
            return  # So many values take a while to log.
        self.log_dict(
            {
                f'expert_usage/layer{layer}/expert{expert}': share[i, expert]
                for i, layer in enumerate(self.gnn.moe_layers)
                for expert in range(self.gnn.num_experts)
            },
            sync_dist=True,  # They are equal already; Lightning warns else.
        )

    def _evaluate(self, split: str, batch: Data) -> None:
        out, _ = self(batch)
        loss = self.task_loss(out, batch.y)
        self.log(
            f'{split}/loss',
            loss,
            sync_dist=True,
            batch_size=batch.num_graphs,
            add_dataloader_idx=False,
        )
        self._score(split).update(
            self.to_prediction(out), self._target(batch, out), batch.graph_id
        )

    def _target(self, batch: Data, out: Tensor) -> Tensor:
        y = batch.y
        return y if self.task_type == CATEGORIES else y.view(out.shape)

    def to_prediction(self, out: Tensor) -> Tensor:
        """Probabilities for classification, values for regression."""
        out = out.float()
        if self.task_type == CATEGORIES:
            return out.softmax(dim=1)
        return out if self.task_type == 'regression' else out.sigmoid()

    def _score(self, split: str) -> GraphScore | CategoryScore:
        score = self.scores[split]
        assert isinstance(score, (GraphScore, CategoryScore))
        return score

    def _log_score(self, split: str) -> None:
        score = self._score(split)
        if score.update_count > 0:
            values = score.compute()
            if not isinstance(values, dict):
                values = {self.metric: values}
            for name, value in values.items():
                self.log(
                    f'{split}/{name}',
                    value.to(self.device, torch.float32),
                    prog_bar=name == self.metric,
                    sync_dist=True,
                )
        score.reset()

    def validation_step(
        self, batch: Data, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._evaluate(('val', 'test_curve')[dataloader_idx], batch)

    def on_validation_epoch_end(self) -> None:
        self._log_score('val')
        self._log_score('test_curve')

    def test_step(self, batch: Data, batch_idx: int) -> None:
        self._evaluate('test', batch)

    def on_test_epoch_end(self) -> None:
        self._log_score('test')

    def predict_step(self, batch: Data, batch_idx: int) -> dict[str, Tensor]:
        out, _ = self(batch)
        return {
            'graph_id': batch.graph_id,
            'prediction': self.to_prediction(out),
            'target': self._target(batch, out).view(out.size(0), -1),
        }

    def configure_optimizers(self) -> Any:
        optimizer = (
            torch.optim.AdamW if self.decoupled else torch.optim.Adam
        )(
            self.parameters(),
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            # One pass. On CUDA it does not go with clipped float16 gradients.
            fused=self.device.type == 'cpu',
        )
        if self.schedule == 'constant':
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler = torch.optim.lr_scheduler.LinearLR(
            optimizer, 1.0, 0.0, total_iters=steps
        )
        return {
            'optimizer': optimizer,
            'lr_scheduler': {'scheduler': scheduler, 'interval': 'step'},
        }
