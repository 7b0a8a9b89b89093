"""The LightningModule of the nodes of one graph."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch_geometric.data import Data

from gmoe.common.arguments import check_choice
from gmoe.nn import NodeGNN
from gmoe.routing import Routing, collect_routing
from gmoe.training.graph_module import GraphModule
from gmoe.training.losses import Loss
from gmoe.training.objective import Objective
from gmoe.training.schedule import Schedule
from gmoe.training.task import BINARY, MULTICLASS, SCORES, Task
from gmoe.training.whole_graph import SortedEdges


class NodePredictor(GraphModule):
    """Trains a :class:`~gmoe.nn.NodeGNN` to classify the nodes of a graph;
    see :class:`GraphModule`, whose graphs are nodes here.

    Args:
        dataset: The dataset's name, which decides on the evaluator.
        task_type: :obj:`"multiclass classification"` or
            :obj:`"binary classification"`.
        metric: The name of the score that selects, a key of
            :obj:`~gmoe.training.METRIC_MODES`.
        learning_rate: Learning rate of Adam.
        weight_decay: Weight decay of Adam.
        balance_weight: The factor of the balance losses.
        loss: :obj:`"cross_entropy"` or :obj:`"focal"`.
        focal_gamma: The exponent of the focal loss.
        label_smoothing: The share of the label that is spread over all
            classes, where there are several.
        class_weights: :obj:`"balanced"` for classes that count the same,
            whatever their shares of the training nodes.
        schedule: The learning rate over the run (see
            :class:`~gmoe.training.schedule.Schedule`).
        warmup_epochs: The number of epochs in which the learning rate rises.
        decoupled: Whether weight decay is that of AdamW.
        **kwargs: Arguments of :class:`~gmoe.nn.NodeGNN`.

    Raises:
        ValueError: If an argument is out of range.
    """

    gnn: NodeGNN
    kind = 'nodes'

    def __init__(
        self,
        dataset: str = 'own',
        task_type: str = MULTICLASS,
        metric: str = 'accuracy',
        learning_rate: float = 0.01,
        weight_decay: float = 0.0,
        balance_weight: float = 0.1,
        loss: str | None = None,
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weights: str | None = None,
        schedule: str = 'constant',
        warmup_epochs: float = 0.0,
        decoupled: bool = False,
        **kwargs: Any,
    ) -> None:
        check_choice('task_type', task_type, (MULTICLASS, BINARY))
        check_choice('metric', metric, SCORES[task_type])
        gnn = NodeGNN(**kwargs)
        task = Task(
            task_type, label_smoothing, Loss(loss, focal_gamma=focal_gamma)
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
            Schedule(schedule, warmup_epochs),
            decoupled,
            Objective(task, gnn.out_channels, class_weights=class_weights),
        )
        self.save_hyperparameters()
        self._edges = SortedEdges()

    def forward(self, data: Data) -> tuple[Tensor, list[Routing]]:
        """Predicts one row for each node of :obj:`target`, or for all, and
        gives the routings of all.

        Args:
            data: The graph, as :class:`NodeDataModule` gives it.

        Raises:
            ValueError: If an input is wrong.
        """
        hop2, part = None, 'training' if self.training else ''
        if self.gnn.num_hops == 2 and 'edge_index_2hop' in data:
            hop2 = self._edges.of(data, 'edge_index_2hop', part)
        out, routings = self.gnn(
            data.x,
            self._edges.of(data, 'edge_index', part),
            hop2,
            data.get('edge_weight'),
            data.get('router_input') if self.gnn.router_columns else None,
            return_routing=True,
        )
        target = data.get('target')
        return (out if target is None else out[target]), routings

    def predict_step(self, batch: Data, batch_idx: int) -> dict[str, Any]:
        """As of graphs, and of each mixture the weights of its experts at all
        nodes, ``gates``.

        Args:
            batch: The graph.
            batch_idx: Its number.
        """
        with collect_routing(self.gnn) as routings:
            out: dict[str, Any] = super().predict_step(batch, batch_idx)
        return {**out, 'gates': [r.gates for r in routings]}
