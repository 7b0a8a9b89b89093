"""Whole batches for a loader, gathered from the tensors of all graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torch_geometric.data import Batch, Data
from torch_geometric.utils import cumsum

from gmoe.datasets._in_memory import CollatedDataset, take_batch
from gmoe.transforms import TwoHop
from gmoe.transforms.two_hop import KEYS


class Batches(Dataset[Any]):
    """Gives a loader whole batches. To collate them graph by graph takes much
    longer, and so does to make hop-2 edges anew for each of them.

    Args:
        dataset: The (part of a) dataset.
        two_hop: Makes the hop-2 edges, once for all graphs; they are kept.
            (default: there are none)
    """

    def __init__(
        self, dataset: CollatedDataset, two_hop: TwoHop | None = None
    ) -> None:
        self.dataset = dataset
        self._kept = None if two_hop is None else _keep(dataset, two_hop)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, index: Sequence[int] | Tensor) -> Batch:
        if self._kept is None:
            return self.dataset.take(index)
        return take_batch(*self._kept, index)


def as_it_is(batch: Batch) -> Batch:
    """What collates a batch that is one already."""
    return batch


class _Graphs(NamedTuple):
    data: Data
    slices: dict[str, Tensor]


def _keep(dataset: CollatedDataset, two_hop: TwoHop) -> _Graphs:
    index = torch.as_tensor(dataset.indices())
    batch = two_hop(take_batch(dataset._data, dataset.slices, index))
    slices = {
        key: cumsum(bounds.diff()[index])
        for key, bounds in dataset.slices.items()
        if key in batch
    }
    graph = batch.batch[batch.edge_index_2hop[0]]
    count = torch.bincount(graph, minlength=index.numel())
    slices.update({key: cumsum(count) for key in KEYS if key in batch})
    data = Data(**{key: batch[key] for key in slices})
    for key in ('edge_index', 'edge_index_2hop'):
        # Nodes are numbered from zero in each graph.
        first = batch.ptr[batch.batch[data[key][0]]]
        data[key] = data[key] - first
    return _Graphs(data, slices)
