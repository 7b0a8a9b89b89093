"""What data of one graph share, of whose nodes or pairs of nodes something is
predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lightning.pytorch.utilities import rank_zero_info
from torch_geometric.data import Data

from gmoe.common.arguments import check_choice, check_integer
from gmoe.ops.two_hop import Mode
from gmoe.training.graph_data_module import SPLITS
from gmoe.training.node_batches import BatchSettings
from gmoe.training.node_hops import NodeHops
from gmoe.training.task_data_module import TaskDataModule
from gmoe.transforms.router_input import COLUMNS, RouterInput


class OneGraphDataModule(TaskDataModule):
    """One graph, of whose nodes or pairs of nodes something is predicted, as
    a whole in each step, or in mini-batches.

    Args:
        name: The name of a public graph, or the path of one of your own.
        root: The folder of the public graphs.
        split_seed: Decides on a random split, and on what else is drawn for
            scores.
        metric: The score that selects. (default: the usual one)
        two_hop: Which hop-2 edges are made: :obj:`"exact"`,
            :obj:`"released"` or :obj:`None`; see
            :class:`~gmoe.transforms.TwoHop`.
        max_hop2_pairs: The most hop-2 edges, of which some are drawn where
            there are more.
        max_hop2_neighbors: The most hop-2 neighbours of a node in training;
            evaluation looks at all.
        hop2_seed: Decides on those that are drawn.
        router_input: What routers see beside the features of a node:
            :obj:`"degree"`, :obj:`"clustering"`, :obj:`"walks"` or
            :obj:`"agreement"`; see :class:`~gmoe.transforms.RouterInput`.
        router_walks: The number of columns of :obj:`"walks"`.
        batch: What a training step sees: the :obj:`"full"` graph; some
            :obj:`"parts"` of it, as in `"Cluster-GCN"
            <https://arxiv.org/abs/1905.07953>`_; or some nodes and drawn
            :obj:`"neighbors"`. Hop-2 edges are those of what it sees.
        num_parts: The number of parts, which are always the same.
        parts_per_batch: How many parts a batch has.
        batch_size: What a batch has otherwise, as subclasses say.
        num_neighbors: The neighbours that are drawn of each node, hop by hop.
        predict_split: What is predicted: :obj:`"train"`, :obj:`"valid"`,
            :obj:`"test"` or :obj:`"all"`.
        score_test: Whether :obj:`gmoe fit` ends with the score of the test
            part, by the epoch that validation selects.

    Raises:
        ValueError: If an argument is out of range.
    """

    #: Set by subclasses: the scores that may select.
    scores: Sequence[str]

    def __init__(
        self,
        name: str,
        root: str = 'data',
        split_seed: int = 0,
        metric: str | None = None,
        two_hop: Mode | None = None,
        max_hop2_pairs: int | None = None,
        max_hop2_neighbors: int | None = None,
        hop2_seed: int = 0,
        router_input: list[str] | None = None,
        router_walks: int = 4,
        batch: str = 'full',
        num_parts: int = 16,
        parts_per_batch: int = 1,
        batch_size: int = 1024,
        num_neighbors: Sequence[int] = (10, 10),
        predict_split: str = 'all',
        score_test: bool = True,
    ) -> None:
        super().__init__()
        check_integer(1, router_walks=router_walks)
        for column in router_input or ():
            check_choice('router_input', column, COLUMNS)
        check_choice('predict_split', predict_split, (*SPLITS, 'all'))
        check_choice('metric', metric, (None, *self.scores))
        self.source = name
        self.root = root
        self.split_seed = split_seed
        self.metric = metric
        hops = NodeHops(
            two_hop or 'exact', max_hop2_pairs, max_hop2_neighbors, hop2_seed
        )
        self.two_hop = None if two_hop is None else hops
        self.router_input = None
        if router_input:
            self.router_input = RouterInput(router_input, router_walks)
        self.batches = BatchSettings(
            batch, num_parts, parts_per_batch, batch_size, num_neighbors
        )
        self.predict_split = predict_split
        self.score_test = score_test
        self._graph: Any = None

    def load(self) -> Any:
        """Loads the graph, a tuple with :obj:`data`, :obj:`info` and
        :obj:`notes`."""
        raise NotImplementedError

    @property
    def graph(self) -> Any:
        """The graph, which is loaded when it is needed first."""
        if self._graph is None:
            self._graph = self.load()
            for note in self._graph.notes:
                rank_zero_info(note)
        return self._graph

    def add_router_input(self) -> Data:
        """Gives the graph what routers see, if they see more than features,
        and returns it."""
        if self.router_input is not None:
            data = self.router_input(self.graph.data)
            self._graph = self.graph._replace(data=data)
        return self.graph.data

    @property
    def name(self) -> str:  # type: ignore[override]
        """The name of the graph, which decides on the evaluator."""
        return self.graph.info.name

    @property
    def router_columns(self) -> int:
        """The number of columns that routers see beside the features."""
        columns = self.router_input
        return 0 if columns is None else columns.num_columns

    @property
    def rank(self) -> tuple[int, int]:
        """The number of processes, and that of this one."""
        trainer = self.trainer
        if trainer is None:
            return 1, 0
        return trainer.world_size, trainer.global_rank
