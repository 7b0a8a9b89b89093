"""The loaders of mini-batches of one graph's nodes."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler
from torch_geometric.data import Data

from gmoe.common.memory import shown_bytes, usable_memory
from gmoe.datasets.nodes.partition import partition_nodes, share_between
from gmoe.datasets.nodes.parts import NodeParts
from gmoe.training.graph_data_module import go_on, shuffle_seed
from gmoe.training.node_batches import (
    BatchSettings,
    NodeSteps,
    PartBatches,
    PartSampler,
    neighbor_loader,
    step_loader,
)
from gmoe.training.node_hops import NodeHops


class NodeLoaders:
    """Makes the loaders of mini-batches of one graph's nodes.

    Args:
        data: The graph.
        splits: The nodes of each split; all of them as ``"all"``.
        hops: Makes hop-2 edges; none without.
        settings: What a batch has.
    """

    def __init__(
        self,
        data: Data,
        splits: dict[str, Tensor],
        hops: NodeHops | None,
        settings: BatchSettings,
    ) -> None:
        self.data, self.splits = data, splits
        self.hops, self.settings = hops, settings

    @cached_property
    def parts(self) -> NodeParts:
        """The graph, cut into parts when they are needed first."""
        return cut_into_parts(self.data, self.settings.num_parts)

    def train(self, trainer: Any) -> DataLoader:
        """The batches of training, each training node once.

        Args:
            trainer: The trainer, if there is one.

        Raises:
            ValueError: If several processes cannot share them.
        """
        if self.settings.kind == 'parts':
            loader = self.of_parts('train', trainer, is_training=True)
        elif trainer is not None and trainer.world_size > 1:
            raise ValueError(
                "'batch' must be 'full' or 'parts' for several processes, got "
                "'neighbors'"
            )
        else:
            loader = neighbor_loader(
                self.data,
                self.splits['train'],
                self.settings,
                self._steps('train', is_training=True),
                shuffle_seed(),
            )
        assert isinstance(loader.sampler, DistributedSampler)
        go_on(loader.sampler, trainer)
        return loader

    def of_parts(
        self, split: str, trainer: Any, is_training: bool = False
    ) -> DataLoader:
        """The batches of parts, each node of a split once.

        Args:
            split: The split.
            trainer: The trainer, if there is one.
            is_training: Whether their order differs from epoch to epoch, and
                hop-2 edges are those of training.
        """
        sampler = PartSampler(
            self.settings,
            1 if trainer is None else trainer.world_size,
            0 if trainer is None else trainer.global_rank,
            shuffle=is_training,
            seed=shuffle_seed(),
        )
        steps = self._steps(split, is_training)
        return step_loader(PartBatches(self.parts, steps), sampler)

    def _steps(self, split: str, is_training: bool) -> NodeSteps:
        nodes = self.splits[split]
        data = self.data
        return NodeSteps(
            nodes, data.y, self.hops, is_training, data.get('router_input')
        )

    def whole_fits(self, trainer: Any, wanted: bool | None) -> bool:
        """Whether evaluation looks at the whole graph, and says so with the
        memory that it would take.

        Args:
            trainer: The trainer, if there is one, which knows the network.
            wanted: Whether it is to. (default: where that takes at most half
                of the memory)
        """
        gnn = getattr(getattr(trainer, 'lightning_module', None), 'gnn', None)
        size = evaluation_bytes(
            self.data,
            0 if self.hops is None else self.hops.most_pairs(self.data),
            getattr(gnn, 'hidden_channels', 64),
            getattr(gnn, 'num_experts', 1),
        )
        device = torch.device('cpu')
        if trainer is not None:
            device = trainer.strategy.root_device
        memory = usable_memory(device)
        fits = size <= memory // 2 if wanted is None else wanted
        seen = 'the whole graph' if fits else 'parts, without edges to others'
        rank_zero_info(
            f'Evaluation looks at {seen}: the whole graph would take about '
            f'{shown_bytes(size)} of {shown_bytes(memory)}'
        )
        return fits


def cut_into_parts(data: Data, count: int) -> NodeParts:
    """Cuts a graph into parts, and says how many edges lead from one to
    another.

    Args:
        data: The graph.
        count: The number of parts.

    Raises:
        ValueError: If it has fewer nodes.
    """
    part = partition_nodes(data.edge_index, data.num_nodes, count)
    share = share_between(data.edge_index, part)
    rank_zero_info(
        f'Cut the graph into {count} parts; {share:.0%} of its edges lead '
        'from one to another'
    )
    return NodeParts(data, part)


def evaluation_bytes(
    data: Data, num_pairs: int, channels: int, num_experts: int
) -> int:
    """What a network takes to look at a whole graph, roughly: the messages
    of all edges of one layer, a row of each expert for each node, and the
    pairs while they are made.

    Args:
        data: The graph.
        num_pairs: The most hop-2 edges.
        channels: The size of the hidden features.
        num_experts: The number of experts of a layer.
    """
    rows = data.num_nodes * (num_experts + 4) + data.num_edges + num_pairs
    return 4 * channels * rows + 48 * num_pairs
