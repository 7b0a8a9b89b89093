"""Whole batches for a loader, gathered from the tensors of all graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torch_geometric.data import Batch, Data
from torch_geometric.utils import cumsum

from gmoe.datasets.collated import CollatedDataset, take_batch
from gmoe.transforms import TwoHop
from gmoe.transforms.freshness import FINGERPRINT
from gmoe.transforms.two_hop import KEYS


class Batches(Dataset[Any]):
    """Gives whole batches to a loader. To collate them graph by graph takes
    much longer, and so does making the hop-2 edges of each batch anew.

    Args:
        dataset: The (part of a) dataset.
        two_hop: Makes the hop-2 edges, once for all graphs; they are kept.
            (default: there are none)
        device: Where the graphs are kept, and the batches are made. A GPU
            is not for loader processes. (default: the CPU)
    """

    def __init__(
        self,
        dataset: CollatedDataset,
        two_hop: TwoHop | None = None,
        device: torch.device | str = 'cpu',
    ) -> None:
        self.dataset = dataset
        self._kept: _Graphs | None = None
        device = torch.device(device)
        if two_hop is not None or device.type != 'cpu':
            kept = _keep(dataset, two_hop)
            self._kept = _Graphs(kept.data.to(device), kept.slices)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, index: Sequence[int] | Tensor) -> Batch:
        if self._kept is None:
            return self.dataset.take(index)
        return take_batch(*self._kept, index)


def as_it_is(batch: Batch) -> Batch:
    """Collates a batch that is made already: it is returned unchanged."""
    return batch


class _Graphs(NamedTuple):
    data: Data
    slices: dict[str, Tensor]


def _keep(dataset: CollatedDataset, two_hop: TwoHop | None) -> _Graphs:
    index = torch.as_tensor(dataset.indices())
    batch = take_batch(dataset._data, dataset.slices, index)
    if two_hop is not None:
        batch = two_hop(batch)
    bounds = {
        id(value): cumsum(value.diff()[index])
        for value in dataset.slices.values()
    }
    slices = {
        key: bounds[id(value)]
        for key, value in dataset.slices.items()
        if key in batch
    }
    if two_hop is not None:
        graph = batch.batch[batch.edge_index_2hop[0]]
        edges = cumsum(torch.bincount(graph, minlength=index.numel()))
        slices.update({key: edges for key in KEYS if key in batch})
        each = torch.arange(index.numel() + 1)
        slices[FINGERPRINT] = slices.get('graph_id', each)
    data = Data(**{key: batch[key] for key in slices})
    for key in slices:
        if 'index' in key:  # Nodes are numbered from zero in each graph.
            data[key] = data[key] - batch.ptr[batch.batch[data[key][0]]]
    return _Graphs(data, slices)
