"""The pairs of nodes that the steps of a training on links have."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler
from torch_geometric.data import Data

from gmoe.datasets.links.pairs import NonEdges


class LinkBatches(Sampler):
    """Which links each step of an epoch has, each link once, and the seed of
    what is drawn beside them. Both depend on the seed and the epoch alone.

    Args:
        num_links: The number of links.
        batch_size: The number of links of a step.
        seed: The run's seed.
    """

    def __init__(self, num_links: int, batch_size: int, seed: int) -> None:
        self.num_links = num_links
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning's trainer calls it before each epoch.

        Args:
            epoch: The number of the epoch.
        """
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.num_links // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        seeds = np.random.SeedSequence((self.seed, self.epoch))
        first, *others = seeds.generate_state(1 + len(self)).tolist()
        generator = torch.Generator().manual_seed(first)
        order = torch.randperm(self.num_links, generator=generator)
        return iter(zip(order.split(self.batch_size), others, strict=True))


class LinkSteps(Dataset):
    """The pairs of a training step: links, and as many others.

    Args:
        links: All training links, of shape ``[2, num_links]``.
        others: Draws the others.
    """

    def __init__(self, links: Tensor, others: NonEdges) -> None:
        self.links, self.others = links, others

    def __getitem__(self, step: tuple[Tensor, int]) -> Data:
        rows, seed = step
        count = rows.numel()
        generator = torch.Generator().manual_seed(seed)
        drawn = self.others.draw(count, generator)
        y = torch.ones(2 * count)
        y[count:] = 0
        return link_step(torch.cat([self.links[:, rows], drawn], dim=1), y)


def link_step(pairs: Tensor, y: Tensor, number: Tensor | None = None) -> Data:
    """A step on pairs of nodes.

    Args:
        pairs: The pairs, of shape ``[2, num_pairs]``.
        y: 1 for links, 0 for others, NaN where it is not known.
        number: The numbers by which scores count them once. (default: from 0)
    """
    number = torch.arange(y.numel()) if number is None else number
    return Data(pairs=pairs, y=y, graph_id=number)
