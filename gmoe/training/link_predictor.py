"""The LightningModule of pairs of nodes of one graph."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from gmoe.common.arguments import check_choice, check_integer
from gmoe.nn import LinkGNN
from gmoe.routing import Routing
from gmoe.training.graph_module import GraphModule
from gmoe.training.metrics import LINK_SCORES, LinkScore
from gmoe.training.objective import Objective
from gmoe.training.schedule import Schedule
from gmoe.training.task import BINARY, Task
from gmoe.training.whole_graph import SortedEdges


class LinkPredictor(GraphModule):
    """Trains a :class:`~gmoe.nn.LinkGNN` to tell links from other pairs of
    nodes; see :class:`GraphModule`, whose graphs are pairs here.

    The loss is the mean cross entropy over the pairs of a step, of which half
    are links. A bound of gradients, ``trainer.gradient_clip_val``, is that of
    three parts, each by itself, as in OGB's example: the vectors of nodes,
    the encoder and the head.

    Args:
        dataset: The dataset's name.
        task_type: :obj:`"binary classification"`, as the data say.
        metric: The name of the score that selects, one of
            :obj:`~gmoe.training.metrics.LINK_SCORES`.
        learning_rate: Learning rate of Adam.
        weight_decay: Weight decay of Adam.
        balance_weight: The factor of the balance losses.
        schedule: The learning rate over the run (see
            :class:`~gmoe.training.schedule.Schedule`).
        warmup_epochs: The number of epochs in which the learning rate rises.
        decoupled: Whether weight decay is that of AdamW.
        out_channels: The number of outputs of a pair: 1.
        **kwargs: Arguments of :class:`~gmoe.nn.LinkGNN`.

    Raises:
        ValueError: If an argument is out of range.
    """

    gnn: LinkGNN
    kind = 'links'

    def __init__(
        self,
        dataset: str = 'own',
        task_type: str = BINARY,
        metric: str = 'rocauc',
        learning_rate: float = 0.01,
        weight_decay: float = 0.0,
        balance_weight: float = 0.1,
        schedule: str = 'constant',
        warmup_epochs: float = 0.0,
        decoupled: bool = False,
        out_channels: int = 1,
        **kwargs: Any,
    ) -> None:
        check_choice('task_type', task_type, (BINARY,))
        check_choice('metric', metric, LINK_SCORES)
        check_integer(1, 1, out_channels=out_channels)
        gnn = LinkGNN(**kwargs)
        super().__init__(
            gnn,
            dataset,
            task_type,
            metric,
            learning_rate,
            weight_decay,
            balance_weight,
            schedule=Schedule(schedule, warmup_epochs),
            decoupled=decoupled,
            objective=Objective(_LinkTask(task_type), out_channels),
        )
        self.save_hyperparameters()
        self._edges = SortedEdges()

    def forward(self, data: Data) -> tuple[Tensor, list[Routing]]:
        """Scores the pairs of a step, of shape ``[num_pairs, 1]``, and gives
        the routings of all nodes.

        Args:
            data: The graph and the :obj:`pairs`, as
                :class:`LinkDataModule` gives them.

        Raises:
            ValueError: If an input is wrong.
        """
        hop2, part = None, 'training' if self.training else ''
        if self.gnn.num_hops == 2 and 'edge_index_2hop' in data:
            hop2 = self._edges.of(data, 'edge_index_2hop', part)
        out, routings = self.gnn(
            data.get('x'),
            # Training and evaluation see the same ones, but for mini-batches.
            self._edges.of(data, 'edge_index', part if 'node' in data else ''),
            data.pairs,
            hop2,
            data.get('router_input') if self.gnn.router_columns else None,
            data.get('node'),
            return_routing=True,
        )
        return out.unsqueeze(1), routings

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        if gradient_clip_val is None:
            return
        parts = [self.gnn.embedding, self.gnn.encoder, self.gnn.head]
        for part in [part for part in parts if part is not None]:
            if gradient_clip_algorithm == 'value':
                torch.nn.utils.clip_grad_value_(
                    part.parameters(), gradient_clip_val
                )
            else:
                torch.nn.utils.clip_grad_norm_(
                    part.parameters(), gradient_clip_val
                )


class _LinkTask(Task):
    """Links among pairs of nodes."""

    def prediction(self, out: Tensor) -> Tensor:
        # In float32, all above 17 would be 1, and rank the same.
        return out.double().sigmoid()

    def score(
        self,
        dataset: str,
        metric: str,
        num_outputs: int,
        is_often: bool = False,
    ) -> LinkScore:
        return LinkScore(metric)
