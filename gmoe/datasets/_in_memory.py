"""What the datasets that are held in memory share."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.utils import cumsum


class CollatedDataset(InMemoryDataset):
    r"""A dataset made of tensors that hold all of its graphs.

    PyG keeps each graph that was accessed, as views of these tensors, and
    pickling a view pickles the whole tensor: once per graph. A copy that is
    sent to another process hence comes without the graphs.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_data_list': None}

    def take(self, index: Tensor | Sequence[int]) -> Batch:
        """Returns some graphs of this (part of a) dataset as a batch, many
        times faster than from the graphs one by one. They are not transformed.

        Args:
            index (torch.Tensor): The positions of the graphs.
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

    Args:
        data (torch_geometric.data.Data): The tensors of all graphs; what is
            no tensor is left out. Needs :obj:`x` and :obj:`edge_index`.
        slices (Dict[str, torch.Tensor]): Where each graph's part starts.
        index (torch.Tensor): The graphs.

    Shapes:
        - **output:** a batch as PyG makes it, with :obj:`batch` and
          :obj:`ptr`
    """
    index = torch.as_tensor(index, dtype=torch.long)
    count = slices['x'].diff()[index]
    ptr = cumsum(count)
    taken: dict[str, Any] = {}
    rows: dict[int, Tensor] = {}
    for key, value in data.to_dict().items():
        if not isinstance(value, Tensor):
            continue
        bounds = slices[key]
        if id(bounds) not in rows:
            rows[id(bounds)] = _rows(bounds, index)
        taken[key] = value.index_select(
            data.__cat_dim__(key, value), rows[id(bounds)]
        )
    for key in taken:
        if 'index' in key:  # As in PyG, it holds nodes.
            edges = slices[key].diff()[index]
            shift = torch.repeat_interleave(ptr[:-1], edges)
            taken[key] = taken[key] + shift
    out = Batch(
        **taken,
        batch=torch.repeat_interleave(
            torch.arange(index.numel()), count, output_size=int(ptr[-1])
        ),
        ptr=ptr,
    )
    out._num_graphs = index.numel()
    return out


def _rows(bounds: Tensor, index: Tensor) -> Tensor:
    # The rows of each graph, one graph after the other.
    start = bounds[index]
    count = bounds[index + 1] - start
    shift = torch.repeat_interleave(start - cumsum(count)[:-1], count)
    return torch.arange(shift.numel()) + shift
