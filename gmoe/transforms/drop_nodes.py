"""Drops random nodes of a graph, as an augmentation."""

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import BaseTransform
from torch_geometric.utils import cumsum

from gmoe._arguments import check_at_least, check_dropout
from gmoe.transforms.checks import check_graph, node_ptr
from gmoe.transforms.two_hop import KEYS as HOP_2_KEYS


class DropNodes(BaseTransform):
    r"""Drops each node of a graph, or of a batch of graphs, independently
    with probability :obj:`ratio`, and with it all of its edges.

    A graph with fewer than :obj:`min_nodes` nodes, or one that would end up
    without any node, is left as it is. Node-level and edge-level tensors
    follow their nodes and edges, everything else stays untouched. What is
    node-level and edge-level is told by size, as PyG does.

    Hop-2 edges need to be those of the graph *after* the drop, so this
    transform goes before :class:`~gmoe.transforms.TwoHop`:

    .. code-block:: python

        transform = Compose([DropNodes(0.2), TwoHop()])

    Args:
        ratio: The probability of a node to be dropped.
        min_nodes: The number of nodes from which on a graph loses some.
        generator: The source of randomness, on the device of the graph.
            (default: PyTorch's global one)

    Raises:
        TypeError: If the input is neither a graph nor a batch of graphs.
        ValueError: If :obj:`ratio` or :obj:`min_nodes` is out of range, or
            the graph holds hop-2 edges or node ids other than in
            :obj:`edge_index`.
    """

    def __init__(
        self,
        ratio: float = 0.2,
        min_nodes: int = 5,
        generator: torch.Generator | None = None,
    ) -> None:
        check_dropout(ratio=ratio)
        check_at_least(0, min_nodes=min_nodes)
        self.ratio = ratio
        self.min_nodes = min_nodes
        self.generator = generator

    def forward(self, data: Any) -> Any:
        _check(data)
        ptr = node_ptr(data)
        num_nodes = int(data.num_nodes)
        batch = (
            data.batch
            if isinstance(data, Batch)
            else data.edge_index.new_zeros(num_nodes)
        )

        mask = self._sample(batch, ptr)
        if bool(mask.all()):
            return data

        src, dst = data.edge_index
        edge_mask = mask[src] & mask[dst]
        if isinstance(data, Batch):
            _drop_from_batch(data, ptr, mask, edge_mask)
        else:
            _drop_from_data(data, mask, edge_mask)
        return data

    def _sample(self, batch: Tensor, ptr: Tensor) -> Tensor:
        # The nodes to keep. Small graphs draw numbers as well, for a graph to
        # lose the same nodes whether it comes alone or as the next one of a
        # batch.
        noise = torch.rand(
            batch.numel(),
            generator=self.generator,
            device=batch.device,
        )
        mask = noise >= self.ratio
        count = torch.bincount(batch[mask], minlength=ptr.numel() - 1)
        is_fixed = (ptr.diff() < self.min_nodes) | (count == 0)
        return mask | is_fixed[batch]

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(ratio={self.ratio}, '
            f'min_nodes={self.min_nodes})'
        )


def _check(data: Any) -> None:
    check_graph(data)
    for key in HOP_2_KEYS:
        if key in data:
            raise ValueError(
                "'data' must be without hop-2 edges, got "
                f"'{key}': apply 'DropNodes' before 'TwoHop'"
            )
    for key, value in data.to_dict().items():
        # PyG takes what these names hold for node ids, which cannot be
        # followed here since an id may be that of a dropped node.
        is_index = 'index' in key and isinstance(value, (Tensor, int))
        is_adj = key in ('adj', 'adj_t', 'face')
        if key != 'edge_index' and (is_index or is_adj):
            raise ValueError(
                "'data' must hold ids of nodes in 'edge_index' only, got "
                f"'{key}'"
            )


def _relabel(edge_index: Tensor, mask: Tensor, edge_mask: Tensor) -> Tensor:
    new_id = mask.cumsum(0) - 1
    return new_id[edge_index[:, edge_mask]]


def _select(data: Data, key: str, mask: Tensor) -> Tensor:
    dim = data.__cat_dim__(key, data[key])
    return data[key].index_select(dim, mask.nonzero().view(-1))


def _drop_from_data(data: Data, mask: Tensor, edge_mask: Tensor) -> None:
    edge_index = _relabel(data.edge_index, mask, edge_mask)
    new = {'edge_index': edge_index}
    for key, value in data.to_dict().items():
        if key == 'edge_index' or not isinstance(value, Tensor):
            continue
        # The label of a graph is not the feature of its only edge.
        is_label = edge_mask.numel() == 1 and 'edge' not in key
        if data.is_node_attr(key):
            new[key] = _select(data, key, mask)
        elif data.is_edge_attr(key) and not is_label:
            new[key] = _select(data, key, edge_mask)
    _set_num_nodes(data, int(mask.sum()))
    for key, value in new.items():
        data[key] = value


def _set_num_nodes(data: Data, num_nodes: int) -> None:
    if 'num_nodes' in data.to_dict():
        data.num_nodes = num_nodes


def _drop_from_batch(
    data: Any,
    ptr: Tensor,
    mask: Tensor,
    edge_mask: Tensor,
) -> None:
    num_graphs = data.num_graphs
    batch = data.batch[mask]
    src = data.edge_index[0, edge_mask]
    node_count = torch.bincount(batch, minlength=num_graphs)
    edge_count = torch.bincount(data.batch[src], minlength=num_graphs)
    new_ptr = cumsum(node_count)
    slices = {'node': new_ptr.cpu(), 'edge': cumsum(edge_count).cpu()}
    masks = {'node': mask, 'edge': edge_mask}

    level = _levels(data, ptr)
    new = {
        key: _select(data, key, masks[level[key]])
        for key in level
        if key != 'edge_index'
    }
    new['edge_index'] = _relabel(data.edge_index, mask, edge_mask)
    new['batch'] = batch
    if 'ptr' in data:
        new['ptr'] = new_ptr

    for key in level:  # What `follow_batch` asked for.
        if f'{key}_batch' in data:
            followed = data[f'{key}_batch'][masks[level[key]]]
            new[f'{key}_batch'] = followed
        if f'{key}_ptr' in data:
            followed = slices[level[key]].to(ptr.device)
            new[f'{key}_ptr'] = followed

    if hasattr(data, '_slice_dict'):
        # A shallow copy of a batch shares these with the original.
        slice_dict, inc_dict = dict(data._slice_dict), dict(data._inc_dict)
        slice_dict.update({key: slices[level[key]] for key in level})
        inc_dict['edge_index'] = slices['node'][:-1].clone()
        data._slice_dict, data._inc_dict = slice_dict, inc_dict

    _set_num_nodes(data, int(mask.sum()))
    if hasattr(data, '_num_nodes'):
        data._num_nodes = node_count.tolist()
    for key, value in new.items():
        data[key] = value


def _levels(data: Any, ptr: Tensor) -> dict[str, str]:
    # "node" or "edge" for each attribute that follows one.
    level = {'edge_index': 'edge'}
    slice_dict = getattr(data, '_slice_dict', None)
    if slice_dict is not None:
        node_slices, edge_slices = ptr.cpu(), slice_dict['edge_index']
        has_one_edge = bool((edge_slices.diff() == 1).all())

    for key, value in data.to_dict().items():
        is_known = key in ('edge_index', 'batch', 'ptr')
        if is_known or not isinstance(value, Tensor):
            continue
        if slice_dict is None:
            matches = [data.is_node_attr(key), data.is_edge_attr(key)]
        elif key in slice_dict:
            # Sizes of all graphs tell more than their sum: one label per
            # graph may well be as many as there are nodes.
            matches = [
                torch.equal(slice_dict[key], node_slices),
                torch.equal(slice_dict[key], edge_slices)
                and not (has_one_edge and 'edge' not in key),
            ]
        else:
            continue
        if all(matches):
            matches = ['edge' not in key, 'edge' in key]
        if any(matches):
            level[key] = 'node' if matches[0] else 'edge'
    return level
