"""The base of datasets that are held in memory."""

from __future__ import annotations

import copy
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.utils import cumsum

from gmoe.common.shown import shown


class CollatedDataset(InMemoryDataset):
    """A dataset made of tensors that hold all of its graphs.

    PyG keeps each graph that was accessed, as views of these tensors, and
    pickling a view pickles the whole tensor: once per graph. A copy that is
    sent to another process therefore comes without the graphs.
    """

    # PyG itself looks for no files, and keeps none.
    raw_file_names: tuple[str, ...] = ()
    processed_file_names: tuple[str, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_data_list': None}

    def copy(self, idx: Any = None) -> CollatedDataset:
        """Returns a dataset with tensors of its own. They hold the graphs as
        they are stored, without anything that is added on access.

        Args:
            idx: The positions of the graphs; all of them if not given.
        """
        part = self if idx is None else self.index_select(idx)
        dataset = copy.copy(self)
        dataset._indices, dataset._data_list = None, None
        dataset._data, dataset.slices = self.collate(
            [InMemoryDataset.get(self, i) for i in part.indices()]
        )
        return dataset

    def _hold(self, data: Data, num_nodes: Tensor, num_edges: Tensor) -> None:
        # Keeps the tensors of all graphs, one graph after the other.
        nodes, edges = cumsum(num_nodes), cumsum(num_edges)
        levels = {'x': nodes, 'edge_index': edges, 'edge_attr': edges}
        single = torch.arange(num_nodes.numel() + 1)
        self._data = data
        self.slices = {key: levels.get(key, single) for key, _ in data}

    def hold_graph_attr(self, values: Tensor) -> None:
        r"""Gives each graph features of its whole, as :obj:`graph_attr`.

        Args:
            values: The features, of shape :math:`(N, F)` for all graphs of
                the whole dataset.

        Raises:
            ValueError: If there is not one row for each graph.
        """
        size = self.slices['x'].numel() - 1
        if values.dim() != 2 or values.size(0) != size:
            raise ValueError(
                f"'values' must have one row for each of the {size} graphs, "
                f'got a shape of {list(values.shape)}'
            )
        self._data.graph_attr = values
        self.slices['graph_attr'] = torch.arange(size + 1)
        self._data_list = None

    def _graph_id(self, idx: int) -> int:
        """Returns the number of a graph in the whole dataset."""
        try:
            position = self.indices()[operator.index(idx)]
        except (IndexError, TypeError) as e:
            raise type(e)(
                f"'idx' must be an integer from {-len(self)} to "
                f'{len(self) - 1}, got {shown(idx)}'
            ) from e
        return int(self._data.graph_id[position])

    @property
    def graph_ids(self) -> Tensor:
        """The number of each graph in the whole dataset. Parts of a dataset
        and copies of these keep the numbers."""
        return self._data.graph_id[torch.as_tensor(self.indices())]

    def _within(
        self, split: dict[str, Tensor], num_graphs: int
    ) -> dict[str, Tensor]:
        # The positions in this part of a split of the whole dataset.
        ids = self.graph_ids
        if torch.equal(ids, torch.arange(num_graphs)):
            return split
        position = torch.full((num_graphs,), -1)
        position[ids] = torch.arange(ids.numel())
        found = {part: position[index] for part, index in split.items()}
        return {part: index[index >= 0] for part, index in found.items()}

    def take(self, index: Tensor | Sequence[int]) -> Batch:
        """Returns some graphs of this (part of a) dataset as a batch, many
        times faster than from the graphs one by one. They are not transformed.

        Args:
            index: The positions of the graphs.
        """
        index = torch.as_tensor(index, dtype=torch.long)
        if self._indices is not None:
            index = torch.as_tensor(self._indices)[index]
        return take_batch(self._data, self.slices, index)


def take_batch(
    data: Data, slices: dict[str, Tensor], index: Tensor | Sequence[int]
) -> Batch:
    r"""Returns some graphs of collated tensors as a batch, without making
    the graphs one by one.

    The tensors may be on any device. All sizes are known from ``slices``,
    which stays on the CPU, so that a GPU receives a few numbers per graph and
    the CPU never waits for it.

    Args:
        data: The tensors of all graphs, ``x`` and ``edge_index`` among them.
            Values that are not tensors are left out.
        slices: Where the part of each graph starts. Keys whose parts are the
            same rows should share one tensor, which saves time.
        index: The graphs.

    Shapes:
        - **output:** a batch as PyG makes it, with :obj:`batch` and
          :obj:`ptr`, on the device of ``data``
    """
    index = torch.as_tensor(index, dtype=torch.long)
    tensors = {
        key: value
        for key, value in data.to_dict().items()
        if isinstance(value, Tensor)
    }
    levels = {id(slices[key]): slices[key] for key in tensors}
    parts = _parts(list(levels.values()), index, data.x.device)
    part = dict(zip(levels, parts))
    nodes = part[id(slices['x'])]
    taken: dict[str, Any] = {}
    for key, value in tensors.items():
        rows = part[id(slices[key])]
        dim = data.__cat_dim__(key, value)
        taken[key] = value.index_select(dim, rows.source)
        if 'index' in key:  # As in PyG, it holds nodes.
            taken[key] = taken[key] + rows.spread(nodes.first)
    number = torch.arange(index.numel(), device=data.x.device)
    out = Batch(**taken, batch=nodes.spread(number), ptr=cumsum(nodes.size))
    out._num_graphs = index.numel()
    return out


class _Part(NamedTuple):
    """The rows of some graphs, one graph after the other."""

    size: Tensor  #: of each graph
    first: Tensor  #: row of each graph, among these
    total: int
    source: Tensor  #: of each row, among all graphs

    def spread(self, value: Tensor) -> Tensor:
        """Gives each row the value of its graph."""
        return torch.repeat_interleave(
            value, self.size, output_size=self.total
        )


def _parts(
    levels: list[Tensor], index: Tensor, device: torch.device
) -> list[_Part]:
    numbers, totals = [], []
    for bounds in levels:
        start = bounds[index]
        size = bounds[index + 1] - start
        before = cumsum(size)
        numbers += [size, before[:-1], start]
        totals.append(int(before[-1]))
    sent = torch.stack(numbers).to(device, non_blocking=True)
    sent = sent.view(len(levels), 3, -1)
    parts = []
    for (size, first, start), total in zip(sent.unbind(), totals):
        shift = torch.repeat_interleave(start - first, size, output_size=total)
        source = torch.arange(total, device=device) + shift
        parts.append(_Part(size, first, total, source))
    return parts
