"""The LightningModule: losses, scores and logs around a GNN."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.data import Data

from gmoe.nn import GNN
from gmoe.routing import Routing, balance_loss
from gmoe.training.metrics import METRIC_MODES, ExpertUsage, GraphScore

TASK_TYPES = ('binary classification', 'regression')


class GraphPredictor(LightningModule):
    r"""Trains a :class:`~gmoe.nn.GNN` to predict properties of graphs.

    The loss is that of the task, over labelled entries only (binary cross
    entropy, or squared error), plus :math:`\lambda` times the importance and
    load losses of the routers, averaged over layers (`GMoE
    <https://arxiv.org/abs/2304.02806>`_). In distributed
    training, both are those of the joint batch of all processes.

    Args:
        dataset: The dataset's name, which decides on the evaluator.
        task_type: :obj:`"binary classification"` or :obj:`"regression"`.
        metric: The name of the score, a key of
            :obj:`~gmoe.training.METRIC_MODES`.
        learning_rate: Learning rate of Adam.
        weight_decay: Weight decay of Adam.
        balance_weight: The factor :math:`\lambda`.
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
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if task_type not in TASK_TYPES:
            raise ValueError(
                f"'task_type' must be one of {TASK_TYPES}, got {task_type!r}"
            )
        for name, value in (
            ('learning_rate', learning_rate),
            ('weight_decay', weight_decay),
            ('balance_weight', balance_weight),
        ):
            if not value >= 0:
                raise ValueError(f"'{name}' must be at least 0, got {value}")
        self.save_hyperparameters()
        self.task_type = task_type
        self.metric = metric
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.balance_weight = balance_weight
        self.gnn = GNN(**kwargs)
        self.scores = nn.ModuleDict(
            {
                split: GraphScore(dataset, metric)
                for split in ('val', 'test', 'test_curve')
            }
        )
        self.usage: ExpertUsage | None = None
        if self.gnn.moe_layers:
            self.usage = ExpertUsage(
                len(self.gnn.moe_layers), self.gnn.num_experts
            )

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
        """Predicts one row per graph: logits or values, and the routings."""
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

        Args:
            out: Logits or values of shape ``[num_graphs, num_tasks]``.
            y: Targets of the same shape, NaN where there is none.
        """
        out, y = out.float(), y.view(out.shape).float()
        labelled = ~y.isnan()
        target = torch.where(labelled, y, torch.zeros_like(y))
        if self.task_type == 'regression':
            loss = functional.mse_loss(out, target, reduction='none')
        else:
            loss = functional.binary_cross_entropy_with_logits(
                out, target, reduction='none'
            )
        count = labelled.sum().to(loss.dtype)
        if dist.is_available() and dist.is_initialized():
            # Gradients are averaged over processes, so each divides by the
            # mean number of labels.
            dist.all_reduce(count)
            count = count / dist.get_world_size()
        return (loss * labelled).sum() / count.clamp(min=1e-12)

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
        prediction = self.to_prediction(out)
        target = batch.y.view(out.shape)
        self._score(split).update(prediction, target, batch.graph_id)

    def to_prediction(self, out: Tensor) -> Tensor:
        """Probabilities for classification, values for regression."""
        out = out.float()
        return out if self.task_type == 'regression' else out.sigmoid()

    def _score(self, split: str) -> GraphScore:
        score = self.scores[split]
        assert isinstance(score, GraphScore)
        return score

    def _log_score(self, split: str) -> None:
        score = self._score(split)
        if score.update_count > 0:
            value = score.compute().to(self.device, torch.float32)
            self.log(
                f'{split}/{self.metric}', value, prog_bar=True, sync_dist=True
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
            'target': batch.y.view(out.shape),
        }

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            self.parameters(),
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
        )
