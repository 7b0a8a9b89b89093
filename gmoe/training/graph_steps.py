"""The graphs that mini-batches of nodes or of pairs of nodes see."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch_geometric.data import Data

from gmoe.training.node_hops import NodeHops

#: What a network is given of a graph, besides hop-2 edges.
STEP_KEYS = ('x', 'edge_index', 'edge_weight', 'router_input')


class GraphSteps:
    """Makes the graph of a step: adds what routers see, and hop-2 edges,
    last.

    Args:
        hops: Makes hop-2 edges; none without.
        is_training: Whether these are those of training.
        columns: What routers see of each node of the graph, if they see more
            than its features.
    """

    def __init__(
        self,
        hops: NodeHops | None,
        is_training: bool,
        columns: Tensor | None = None,
    ) -> None:
        self.hops, self.is_training = hops, is_training
        self.columns = columns

    def graph(self, graph: Data, seed: int) -> Data:
        """Makes the graph of a step.

        Args:
            graph: :obj:`x`, :obj:`edge_index` and so on of some nodes, and
                :obj:`node`, their numbers in the whole graph.
            seed: Decides on the hop-2 edges that are drawn.
        """
        kept = {key: graph[key] for key in STEP_KEYS if key in graph}
        step = Data(**kept, num_nodes=len(graph.node))
        if self.columns is not None:
            step.router_input = self.columns[graph.node]
        if self.hops is not None:
            pairs = self.hops.make(step)
            if self.is_training:
                pairs = self.hops.for_training(
                    pairs, step.num_nodes, mixed_seed(self.hops.seed, seed)
                )
            step.edge_index_2hop = pairs
        return step


def mixed_seed(*seeds: int) -> int:
    """A seed that others decide on together.

    Args:
        *seeds: The others, which are not negative.
    """
    return int(np.random.SeedSequence(seeds).generate_state(1)[0])
