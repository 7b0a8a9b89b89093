"""What the datasets that are held in memory share."""

from typing import Any

from torch_geometric.data import InMemoryDataset


class CollatedDataset(InMemoryDataset):
    r"""A dataset made of tensors that hold all of its graphs.

    PyG keeps each graph that was accessed, as views of these tensors, and
    pickling a view pickles the whole tensor: once per graph. A copy that is
    sent to another process hence comes without the graphs.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_data_list': None}
