"""The pairs of nodes that the steps of a training on links have, and the
graphs that mini-batches of them see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler
from torch_geometric import loader
from torch_geometric.data import Data

from gmoe.datasets.links.pairs import NonEdges
from gmoe.datasets.nodes.parts import NodeParts
from gmoe.training.graph_steps import GraphSteps
from gmoe.training.node_batches import BatchSettings, PartStep


class LinkBatches(DistributedSampler):
    """Which links each step of an epoch has, each link once, and the seed of
    what is drawn beside them. Both depend on the seed and the epoch alone.
    Each of several processes has links of its own; a few of them have one
    again, so that all have the same number.

    Lightning sets its epoch, and leaves it alone in distributed runs.

    Args:
        num_links: The number of links.
        batch_size: The number of links of a step, in each process.
        seed: The run's seed.
        num_replicas: The number of processes.
        rank: This one.
    """

    def __init__(
        self,
        num_links: int,
        batch_size: int,
        seed: int,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        places: Any = range(num_links)
        super().__init__(places, num_replicas, rank, seed=seed)
        self.num_links, self.batch_size = num_links, batch_size

    def __len__(self) -> int:
        return -(-self.num_samples // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        seeds = np.random.SeedSequence((self.seed, self.epoch))
        count = 1 + self.num_replicas * len(self)
        first, *others = seeds.generate_state(count).tolist()
        generator = torch.Generator().manual_seed(first)
        order = torch.randperm(self.num_links, generator=generator)
        # So that all processes have as many.
        order = order[torch.arange(self.total_size) % self.num_links]
        own = order[self.rank :: self.num_replicas].split(self.batch_size)
        drawn = others[self.rank :: self.num_replicas]
        return iter(zip(own, drawn, strict=True))


class LinkSteps(Dataset):
    """The pairs of a training step: links, and as many others.

    Args:
        links: All training links, of shape ``[2, num_links]``.
        others: Draws the others.
        near: Adds a graph to them, unless that is added later.
    """

    def __init__(
        self,
        links: Tensor,
        others: NonEdges,
        near: NearPairs | None = None,
    ) -> None:
        self.links, self.others, self.near = links, others, near

    def __getitem__(self, step: tuple[Tensor, int]) -> Data:
        rows, seed = step
        pairs = self.links[:, rows]
        out = _drawn_step(pairs, self.others, seed)
        return out if self.near is None else self.near.add(out, seed)


class NearPairs:
    """Adds to pairs of nodes a graph of drawn neighbours of theirs, by PyG's
    loader.

    Args:
        data: The graph.
        settings: How many neighbours are drawn.
        steps: Makes the graph of a step.
    """

    def __init__(
        self, data: Data, settings: BatchSettings, steps: GraphSteps
    ) -> None:
        self.steps = steps
        kept = Data(edge_index=data.edge_index, num_nodes=data.num_nodes)
        if 'x' in data:
            kept.x = data.x
        self._loader = loader.NeighborLoader(
            kept, num_neighbors=list(settings.num_neighbors)
        )

    def add(self, step: Data, seed: int) -> Data:
        """The step with a graph, in which its pairs are renumbered.

        Args:
            step: The pairs, as :func:`link_step` gives them.
            seed: Decides on the hop-2 edges that are drawn.
        """
        node, place = step.pairs.unique(return_inverse=True)
        # The nodes that are asked for come first.
        graph = self._loader(node)
        graph.node = graph.n_id
        return _on_graph(self.steps, graph, step, place, seed)


class LinkParts(Dataset):
    """The steps of a graph that is cut into parts: the links of some parts,
    and as many other pairs of their nodes.

    Args:
        parts: The parts of the graph of the training links.
        steps: Makes the graph of a step.
    """

    def __init__(self, parts: NodeParts, steps: GraphSteps) -> None:
        self.parts, self.steps = parts, steps

    def __len__(self) -> int:
        return self.parts.num_parts

    def __getitem__(self, step: PartStep) -> Data:
        graph = self.parts.graph(step.parts)
        source, target = graph.edge_index
        # Each link is there in both directions.
        links = graph.edge_index[:, source < target]
        size = len(graph.node)
        if 0 < links.size(1) < size * (size - 1) // 2:
            out = _drawn_step(links, NonEdges(links, size), step.seed)
        else:
            out = link_step(links, torch.ones(links.size(1)))
        return _on_graph(self.steps, graph, out, out.pairs, step.seed)


def link_step(pairs: Tensor, y: Tensor, number: Tensor | None = None) -> Data:
    """A step on pairs of nodes.

    Args:
        pairs: The pairs, of shape ``[2, num_pairs]``.
        y: 1 for links, 0 for others, NaN where it is not known.
        number: The numbers by which scores count them once. (default: from 0)
    """
    number = torch.arange(y.numel()) if number is None else number
    return Data(pairs=pairs, y=y, graph_id=number)


def _drawn_step(links: Tensor, others: NonEdges, seed: int) -> Data:
    count = links.size(1)
    drawn = others.draw(count, torch.Generator().manual_seed(seed))
    y = torch.ones(2 * count)
    y[count:] = 0
    return link_step(torch.cat([links, drawn], dim=1), y)


def _on_graph(
    steps: GraphSteps, graph: Data, step: Data, pairs: Tensor, seed: int
) -> Data:
    out = steps.graph(graph, seed)
    # Of nodes without features, these say which vectors they have.
    out.node = graph.node
    out.pairs, out.y, out.graph_id = pairs, step.y, step.graph_id
    return out
