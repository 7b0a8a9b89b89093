"""Drops random nodes of a graph, as an augmentation."""

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import BaseTransform
from torch_geometric.utils import cumsum

from gmoe.common.arguments import check_integer, check_share
from gmoe.transforms.checks import check_graph, node_ptr
from gmoe.transforms.two_hop import KEYS as HOP_2_KEYS


class DropNodes(BaseTransform):
    r"""Drops each node of a graph, or of a batch of graphs, independently
    with probability :obj:`ratio`, and with it all of its edges.

    A graph with fewer than :obj:`min_nodes` nodes, or one that would end up
    without any node, is left as it is. Node-level and edge-level tensors
    follow their nodes and edges, everything else stays untouched. Values of
    nodes and of edges are told apart by their size, as in PyG.

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
        check_share(ratio=ratio)
        check_integer(0, min_nodes=min_nodes)
        self.ratio = ratio
        self.min_nodes = min_nodes
        self.generator = generator

    def forward(self, data: Any) -> Any:
        _check(data)
        ptr = node_ptr(data)
        is_batch = isinstance(data, Batch)
        batch = data.batch
        if not is_batch:
            batch = data.edge_index.new_zeros(int(data.num_nodes))
        mask = self._sample(batch, ptr)
        if bool(mask.all()):
            return data

        masks = {'node': mask, 'edge': mask[data.edge_index].all(dim=0)}
        level = _levels(data, ptr)
        new = {key: _select(data, key, masks[level[key]]) for key in level}
        new_id = mask.cumsum(0) - 1
        new['edge_index'] = new_id[new['edge_index']]
        if is_batch:
            new |= _regroup(data, masks, level)
        if 'num_nodes' in data.to_dict():
            data.num_nodes = int(mask.sum())
        for key, value in new.items():
            data[key] = value
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


def _select(data: Data, key: str, mask: Tensor) -> Tensor:
    dim = data.__cat_dim__(key, data[key])
    return data[key].index_select(dim, mask.nonzero().view(-1))


def _regroup(
    data: Any, masks: dict[str, Tensor], level: dict[str, str]
) -> dict[str, Tensor]:
    # Which node and edge is of which graph of a batch.
    graph = {'node': data.batch, 'edge': data.batch[data.edge_index[0]]}
    count = {
        key: torch.bincount(graph[key][mask], minlength=data.num_graphs)
        for key, mask in masks.items()
    }
    ptr = {key: cumsum(value) for key, value in count.items()}
    new = {'batch': data.batch[masks['node']]}
    if 'ptr' in data:
        new['ptr'] = ptr['node']
    for key in level:  # What `follow_batch` asked for.
        if f'{key}_batch' in data:
            new[f'{key}_batch'] = data[f'{key}_batch'][masks[level[key]]]
        if f'{key}_ptr' in data:
            new[f'{key}_ptr'] = ptr[level[key]]
    if hasattr(data, '_slice_dict'):
        # A shallow copy of a batch shares these with the original.
        slices = {key: value.cpu() for key, value in ptr.items()}
        slice_dict, inc_dict = dict(data._slice_dict), dict(data._inc_dict)
        slice_dict.update({key: slices[level[key]] for key in level})
        inc_dict['edge_index'] = slices['node'][:-1].clone()
        data._slice_dict, data._inc_dict = slice_dict, inc_dict
    if hasattr(data, '_num_nodes'):
        data._num_nodes = count['node'].tolist()
    return new


def _levels(data: Any, ptr: Tensor) -> dict[str, str]:
    # "node" or "edge" for each attribute that follows one.
    level = {'edge_index': 'edge'}
    is_batch = isinstance(data, Batch)
    known = ('edge_index', *(('batch', 'ptr') if is_batch else ()))
    slice_dict = getattr(data, '_slice_dict', None)
    has_one_edge = not is_batch and data.num_edges == 1
    if slice_dict is not None:
        node_slices, edge_slices = ptr.cpu(), slice_dict['edge_index']
        has_one_edge = bool((edge_slices.diff() == 1).all())

    for key, value in data.to_dict().items():
        if key in known or not isinstance(value, Tensor):
            continue
        if slice_dict is None:
            of_node, of_edge = data.is_node_attr(key), data.is_edge_attr(key)
        elif key in slice_dict:
            # Sizes of all graphs tell more than their sum: one label per
            # graph may well be as many as there are nodes.
            of_node = torch.equal(slice_dict[key], node_slices)
            of_edge = torch.equal(slice_dict[key], edge_slices)
        else:
            continue
        if of_node and of_edge:
            of_node = 'edge' not in key
        # The label of a graph is not the feature of its only edge.
        if of_node or (of_edge and not (has_one_edge and 'edge' not in key)):
            level[key] = 'node' if of_node else 'edge'
    return level
