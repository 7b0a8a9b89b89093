"""Mini-batches of the nodes of one graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import (
    DataLoader,
    Dataset,
    DistributedSampler,
    Sampler,
)
from torch_geometric import loader, typing
from torch_geometric.data import Data

from gmoe.common.arguments import check_choice, check_integer
from gmoe.datasets.nodes.parts import NodeParts
from gmoe.training.batches import as_it_is
from gmoe.training.graph_steps import GraphSteps, mixed_seed
from gmoe.training.node_hops import NodeHops

BATCHES = ('full', 'parts', 'neighbors')


@dataclass(frozen=True)
class BatchSettings:
    """What a training step sees of a graph.

    Args:
        kind: :obj:`"full"`, :obj:`"parts"` or :obj:`"neighbors"`.
        num_parts: The number of parts that the graph is cut into.
        parts_per_batch: The parts that a batch has, with the edges between
            them.
        batch_size: The training nodes of a batch of neighbours.
        num_neighbors: The neighbours that are drawn of each node, hop by hop.

    Raises:
        ValueError: If an argument is out of range.
        ImportError: If neighbours cannot be drawn.
    """

    kind: str = 'full'
    num_parts: int = 16
    parts_per_batch: int = 1
    batch_size: int = 1024
    num_neighbors: Sequence[int] = (10, 10)

    def __post_init__(self) -> None:
        check_choice('batch', self.kind, BATCHES)
        check_integer(1, num_parts=self.num_parts, batch_size=self.batch_size)
        check_integer(1, self.num_parts, parts_per_batch=self.parts_per_batch)
        numbers: list[Any] = [*self.num_neighbors] or [None]
        for number in numbers:
            check_integer(-1, num_neighbors=number)
        has_sampler = typing.WITH_PYG_LIB or typing.WITH_TORCH_SPARSE
        if self.kind == 'neighbors' and not has_sampler:
            raise ImportError(
                "'batch' must be 'full' or 'parts' without a package that "
                "draws neighbours, got 'neighbors'. It needs pyg-lib (`pip "
                'install pyg-lib -f https://data.pyg.org/whl/torch-VERSION+'
                'cpu.html`) or torch-sparse (`pip install torch-sparse`); '
                "'parts' needs neither"
            )


class PartStep(NamedTuple):
    """What a batch is made of.

    Args:
        parts: The numbers of its parts.
        seed: Decides on what is drawn for it.
    """

    parts: tuple[int, ...]
    seed: int


class PartSampler(DistributedSampler):
    """Which parts each batch of an epoch has. Each of several processes has
    parts of its own, the same ones in each epoch.

    Lightning sets its epoch, and leaves it alone in distributed runs.

    Args:
        settings: The number of parts, and how many a batch has.
        num_replicas: The number of processes.
        rank: This one.
        shuffle: Whether their order differs from epoch to epoch.
        seed: Decides on the order.

    Raises:
        ValueError: If processes would not have the same number of parts.
    """

    def __init__(
        self,
        settings: BatchSettings,
        num_replicas: int = 1,
        rank: int = 0,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        count = settings.num_parts
        if count % num_replicas:
            raise ValueError(
                f"'num_parts' must be a multiple of the {num_replicas} "
                f'processes, which have parts of their own, got {count}'
            )
        places: Any = range(count)
        super().__init__(places, num_replicas, rank, shuffle, seed)
        self.per_batch = settings.parts_per_batch
        self.own = range(rank, count, num_replicas)

    def __iter__(self) -> Iterator[Any]:
        own = torch.tensor(self.own)
        if self.shuffle:
            generator = torch.Generator().manual_seed(self.seed + self.epoch)
            own = own[torch.randperm(len(own), generator=generator)]
        for number, parts in enumerate(own.split(self.per_batch)):
            drawn = (self.seed, self.epoch, self.rank, number)
            yield PartStep(tuple(parts.tolist()), mixed_seed(*drawn))

    def __len__(self) -> int:
        return -(-len(self.own) // self.per_batch)


class NodeSteps(GraphSteps):
    """Makes a step of a graph: adds the nodes that count; see
    :class:`~gmoe.training.graph_steps.GraphSteps`.

    Args:
        nodes: The nodes that count.
        y: What each node of the graph is to be.
        hops: Makes hop-2 edges; none without.
        is_training: Whether these are those of training.
        columns: What routers see of each node of the graph, if they see more
            than its features.
    """

    def __init__(
        self,
        nodes: Tensor,
        y: Tensor,
        hops: NodeHops | None,
        is_training: bool,
        columns: Tensor | None = None,
    ) -> None:
        super().__init__(hops, is_training, columns)
        self.counts = torch.zeros(len(y), dtype=torch.bool)
        self.counts[nodes] = True
        self.y = y

    def make(self, graph: Data, target: Tensor, seed: int) -> Data:
        """Makes a step.

        Args:
            graph: :obj:`x`, :obj:`edge_index` and so on of some nodes, and
                :obj:`node`, their numbers in the whole graph.
            target: The places of the nodes that count.
            seed: Decides on the hop-2 edges that are drawn.
        """
        step = self.graph(graph, seed)
        node = graph.node[target]
        step.target, step.y, step.graph_id = target, self.y[node], node
        return step


class PartBatches(Dataset):
    """The batches of a graph that is cut into parts.

    Args:
        parts: The parts.
        steps: Makes a step of a graph.
    """

    def __init__(self, parts: NodeParts, steps: NodeSteps) -> None:
        self.parts, self.steps = parts, steps

    def __len__(self) -> int:
        return self.parts.num_parts

    def __getitem__(self, step: PartStep) -> Data:
        graph = self.parts.graph(step.parts)
        target = self.steps.counts[graph.node].nonzero().view(-1)
        return self.steps.make(graph, target, step.seed)


class FullSteps(Dataset):
    """The same nodes in each step, of a graph that is added later.

    Args:
        nodes: The nodes that count.
        y: What each of them is to be.
        steps: How many steps there are.
    """

    def __init__(self, nodes: Tensor, y: Tensor, steps: int = 1) -> None:
        self.nodes, self.y, self.steps = nodes, y, steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Data:
        # By keyword, and no 'x': PyG would guess a number of nodes.
        return Data(target=self.nodes, y=self.y, graph_id=self.nodes)


def step_loader(batches: Any, sampler: Sampler | None = None) -> DataLoader:
    """A loader of batches that are made already.

    Args:
        batches: The batches.
        sampler: What each is made of, unless it is the next of them.
    """
    # The generator: a loader draws a number when it starts, which a resumed
    # run does at another time.
    return DataLoader(
        batches,
        batch_size=None,
        sampler=sampler,
        collate_fn=as_it_is,
        generator=torch.Generator(),
    )


def neighbor_loader(
    data: Data,
    nodes: Tensor,
    settings: BatchSettings,
    steps: NodeSteps,
    seed: int,
) -> DataLoader:
    """PyG's loader of some nodes and of drawn neighbours of theirs.

    Args:
        data: The graph.
        nodes: The training nodes.
        settings: How many of each.
        steps: Makes a step of a graph.
        seed: Decides on the order of the nodes, which differs from epoch to
            epoch, and on the hop-2 edges that are drawn.
    """
    graph = Data(x=data.x, edge_index=data.edge_index)
    if 'edge_weight' in data:
        graph.edge_weight = data.edge_weight
    places: Any = range(len(nodes))
    sampler: DistributedSampler = DistributedSampler(
        places, 1, 0, shuffle=True, seed=seed
    )
    return loader.NeighborLoader(
        graph,
        num_neighbors=list(settings.num_neighbors),
        input_nodes=nodes,
        batch_size=settings.batch_size,
        sampler=sampler,
        transform=_of_neighbors(steps, sampler),
        generator=torch.Generator(),
    )


def _of_neighbors(
    steps: NodeSteps, sampler: DistributedSampler
) -> Callable[[Data], Data]:
    def make(batch: Data) -> Data:
        batch.node = batch.n_id
        # The nodes that are asked for come first.
        target = torch.arange(batch.batch_size)
        seed = mixed_seed(sampler.seed, sampler.epoch, int(batch.n_id[0]))
        return steps.make(batch, target, seed)

    return make
