"""Adds the hop-2 edges of a graph to its data object."""

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.transforms import BaseTransform
from torch_geometric.utils import cumsum

from gmoe.common.arguments import check_choice
from gmoe.ops.two_hop import MODES, Mode, check_cap, two_hop_edges
from gmoe.transforms.checks import check_graph
from gmoe.transforms.freshness import FINGERPRINT, hop_fingerprint

KEYS = ('edge_index_2hop', 'edge_attr_2hop')


class TwoHop(BaseTransform):
    r"""Adds the hop-2 edges to a graph or to a batch of graphs.

    The edges are set as :obj:`edge_index_2hop`, and the features of the two
    edges of each path as :obj:`edge_attr_2hop` if the graph has an
    :obj:`edge_attr`. PyG batches both as it does :obj:`edge_index` and
    :obj:`edge_attr`. Unlike :class:`torch_geometric.transforms.TwoHop`,
    the edges of the graph itself are left as they are.

    Transforming a batch gives the same as batching transformed graphs, if
    there is no :obj:`max_edges`.

    Hop-2 edges are those of the edges at hand, so this transform comes last,
    after all others that change nodes or edges: also
    ``NeighborLoader(..., transform=TwoHop())``, which gives each sampled
    graph the hop-2 edges of its own. A fingerprint of the edges is set as
    :obj:`hop_fingerprint`, by which :func:`~gmoe.transforms.check_two_hop`
    finds hop-2 edges that are out of date.

    Args:
        mode: :obj:`"exact"` for the pairs of nodes at distance exactly two,
            :obj:`"released"` for those of the code released with the GMoE
            paper; see :func:`~gmoe.ops.two_hop.two_hop_edges`.
        coalesce: Whether there is one edge for each pair of nodes instead of
            one for each path.
        max_edges: The most hop-2 edges of a graph, or of a batch as a whole;
            see :func:`~gmoe.ops.two_hop.two_hop_edges`. (default: as many as
            take half of the memory)
        seed: Where there are more than :obj:`max_edges`, that many are drawn
            with this seed. (default: more of them are an error)

    Raises:
        ValueError: If :obj:`mode` is unknown, or a graph has no valid
            :obj:`edge_index` or too many hop-2 edges.
        TypeError: If the input is neither a graph nor a batch of graphs.
    """

    def __init__(
        self,
        mode: Mode = 'exact',
        coalesce: bool = False,
        max_edges: int | None = None,
        seed: int | None = None,
    ) -> None:
        check_choice('mode', mode, MODES)
        check_cap(max_edges, seed)
        self.mode = mode
        self.coalesce = coalesce
        self.max_edges = max_edges
        self.seed = seed

    def forward(self, data: Any) -> Any:
        check_graph(data)
        batch = data.batch if isinstance(data, Batch) else None
        edge_index, edge_attr = two_hop_edges(
            data.edge_index,
            data.get('edge_attr'),
            data.num_nodes,
            mode=self.mode,
            coalesce=self.coalesce,
            batch=batch,
            max_edges=self.max_edges,
            seed=self.seed,
        )
        for key in (*KEYS, FINGERPRINT):
            if key in data:  # Of an earlier call, perhaps on other edges.
                del data[key]
        data.edge_index_2hop = edge_index
        if edge_attr is not None:
            data.edge_attr_2hop = edge_attr
        data[FINGERPRINT] = hop_fingerprint(data)

        if batch is not None and hasattr(data, '_slice_dict'):
            _register(data, batch)
        return data

    def __repr__(self) -> str:
        cap = ''
        if self.max_edges is not None:
            cap = f', max_edges={self.max_edges}, seed={self.seed}'
        return (
            f'{self.__class__.__name__}(mode={self.mode!r}, '
            f'coalesce={self.coalesce}{cap})'
        )


def _register(data: Any, batch: Tensor) -> None:
    # Tells the batch which hop-2 edges belong to which of its graphs.
    graph = batch[data.edge_index_2hop[0]]
    count = torch.bincount(graph, minlength=data.num_graphs)
    slices = cumsum(count.cpu())

    # A shallow copy of a batch shares these dictionaries with the original.
    made = (*KEYS, FINGERPRINT)
    slice_dict = {k: v for k, v in data._slice_dict.items() if k not in made}
    inc_dict = {k: v for k, v in data._inc_dict.items() if k not in made}
    slice_dict['edge_index_2hop'] = slices
    inc_dict['edge_index_2hop'] = inc_dict['edge_index']
    if 'edge_attr_2hop' in data:
        slice_dict['edge_attr_2hop'] = slices
        inc_dict['edge_attr_2hop'] = torch.zeros_like(slices[:-1])
    slice_dict[FINGERPRINT] = torch.arange(slices.numel())
    inc_dict[FINGERPRINT] = torch.zeros_like(slices[:-1])
    data._slice_dict = slice_dict
    data._inc_dict = inc_dict
