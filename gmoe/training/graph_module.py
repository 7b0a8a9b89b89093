"""The LightningModule: losses and their logs around a GNN."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch_geometric.data import Data
from typing_extensions import Self

from gmoe.common.arguments import check_number
from gmoe.common.distributed import is_distributed
from gmoe.nn import GNN, LinkGNN, NodeGNN, TripleGNN
from gmoe.nn.encoders.ogb_codes import check_featurization
from gmoe.nn.models.on_data import on_data
from gmoe.routing import Routing, balance_loss, update_balance
from gmoe.training.evaluated_module import EvaluatedModule
from gmoe.training.graph_data_module import GraphDataModule
from gmoe.training.metrics import ExpertUsage, WeightedMean
from gmoe.training.objective import Objective
from gmoe.training.optimizer import check_trainer, make_optimizer
from gmoe.training.schedule import Schedule
from gmoe.training.task import Task
from gmoe.training.task_data_module import TaskDataModule
from gmoe.transforms import check_two_hop


class GraphModule(EvaluatedModule):
    r"""Trains a network to predict properties of graphs.

    The loss is that of the task (cross entropy or squared error), plus
    :math:`\lambda` times the importance and load losses of the routers,
    averaged over layers (`GMoE <https://arxiv.org/abs/2304.02806>`_). In
    distributed training, both are those of the joint batch of all processes.

    The logged losses of tasks are means over labels, whatever the batches
    are: of an epoch in training, of a split in evaluation; NaN where there is
    no label. ``train/loss`` adds the balance loss, averaged over batches.

    A training whose loss, weights or validation are no longer finite ends
    with :class:`~gmoe.training.TrainingDivergedError`, and is not saved.

    Args:
        gnn: The network, which has :obj:`num_experts`, :obj:`moe_layers`,
            :obj:`num_hops` and :obj:`out_channels`.
        dataset: The dataset's name, which decides on the evaluator.
        task_type: One of :obj:`~gmoe.training.task.TASK_TYPES`.
        metric: The name of the score, a key of
            :obj:`~gmoe.training.METRIC_MODES`.
        learning_rate: Learning rate of Adam.
        weight_decay: Weight decay of Adam.
        balance_weight: The factor :math:`\lambda`.
        label_smoothing: The share of the label that is spread over all
            categories, where there are several.
        schedule: The learning rate over the run: a
            :class:`~gmoe.training.schedule.Schedule`, or the name of one.
        decoupled: Whether weight decay is that of AdamW.
        objective: What is learned. (default: the task, with the loss that
            is its default)

    Raises:
        ValueError: If an argument is out of range.
    """

    #: What is predicted, as the data have it.
    kind: str = 'graphs'

    def __init__(
        self,
        gnn: GNN | LinkGNN | NodeGNN | TripleGNN,
        dataset: str,
        task_type: str,
        metric: str,
        learning_rate: float,
        weight_decay: float,
        balance_weight: float,
        label_smoothing: float = 0.0,
        schedule: str | Schedule = 'constant',
        decoupled: bool = False,
        objective: Objective | None = None,
    ) -> None:
        super().__init__(
            objective
            or Objective(Task(task_type, label_smoothing), gnn.out_channels),
            dataset,
            metric,
            gnn.out_channels,
        )
        self.task_type = task_type
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.balance_weight = balance_weight
        check_number(
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            balance_weight=balance_weight,
        )
        self.schedule = (
            Schedule(schedule) if isinstance(schedule, str) else schedule
        )
        self.decoupled = decoupled
        self.gnn = gnn
        self.task_mean = WeightedMean()
        self.balance_mean = WeightedMean()
        self.usage: ExpertUsage | None = None
        if gnn.moe_layers:
            self.usage = ExpertUsage(len(gnn.moe_layers), gnn.num_experts)

    @classmethod
    def load_from_checkpoint(
        cls, *args: Any, weights_only: bool | None = True, **kwargs: Any
    ) -> Self:
        """Loads a trained network, ready to predict: in evaluation mode, and
        on the CPU if its GPU is not there. ``Trainer.fit`` goes on training
        it.

        Args:
            *args: Arguments of ``LightningModule.load_from_checkpoint``, the
                first of which is the file.
            weights_only: Whether the file may hold tensors and plain values
                only. Others can run any code when they are loaded.
            **kwargs: Further arguments.
        """
        kwargs['weights_only'] = weights_only
        return super().load_from_checkpoint(*args, **kwargs).eval()

    def setup(self, stage: str) -> None:
        data = getattr(self.trainer, 'datamodule', None)
        hop_2_missing = getattr(data, 'two_hop', self) is None
        if self.gnn.num_hops == 2 and hop_2_missing:
            raise ValueError(
                "'two_hop' of the data must be 'exact' or 'released' for a "
                'network that looks at hop-2 edges, got None'
            )
        if stage == 'fit':
            check_trainer(self.trainer)
        if isinstance(data, TaskDataModule):
            self.objective.fit(data, stage == 'fit')
        takes_features = stage == 'fit' and self.gnn.graph_dims is not None
        if isinstance(data, GraphDataModule) and takes_features:
            self._fit_features(data.train_graph_attr())

    def _fit_features(self, values: Tensor | None) -> None:
        if values is None:
            raise ValueError(
                "'graph_dims' must be None for data without features of "
                f'graphs, got {self.gnn.graph_dims}'
            )
        features = self.gnn.graph_features
        assert features is not None
        # A network that was trained keeps its own, which its weights fit.
        if not features.is_fitted:
            features.fit(values)

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
        return on_data(self.gnn, data, return_routing=True)

    def task_loss(self, out: Tensor, y: Tensor) -> Tensor:
        """The loss over labelled entries, as their mean over the joint batch
        of all processes; zero if there are none.

        Args:
            out: Logits or values of shape ``[num_graphs, num_outputs]``.
            y: Targets of the same shape, NaN where there is none; for
                categories, one integer per graph, -1 where it is not known.
        """
        return self.objective.mean_loss(out, y)

    def on_fit_start(self) -> None:
        if not self.training:
            self.train()  # It may come from 'load_from_checkpoint'.

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        # An epoch that was interrupted leaves its batches.
        self.task_mean.reset()
        self.balance_mean.reset()
        if self.usage is not None:
            self.usage.reset()

    def training_step(self, batch: Data, batch_idx: int) -> Tensor:
        out, routings = self._predict(batch)
        task, weight = self.objective.loss(out, batch)
        self.task_mean.update(task, weight)
        loss, means = task, {'train/task_loss': self.task_mean}
        if self.usage is not None:
            balance = balance_loss(routings, sync_dist=True)
            loss = task + self.balance_weight * balance
            self.balance_mean.update(balance, len(out))
            means['train/balance_loss'] = self.balance_mean
            self.usage.update(routings)
        # Callbacks find them at the end of an epoch. Among processes the
        # progress bar, which the first alone has, would wait for the others.
        if not is_distributed():
            self.log_dict(means, on_step=False, on_epoch=True)
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        update_balance(self)

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        loss = self.task_mean.compute()
        losses = {'train/task_loss': loss}
        if self.usage is not None:
            balance = self.balance_mean.compute()
            losses['train/balance_loss'] = balance
            loss = loss + self.balance_weight * balance
        losses = losses if is_distributed() else {}
        self.log_dict({**losses, 'train/loss': loss}, sync_dist=True)
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

    def configure_optimizers(self) -> Any:
        return make_optimizer(
            self,
            self.learning_rate,
            self.weight_decay,
            self.schedule,
            self.decoupled,
        )
