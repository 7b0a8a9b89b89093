"""A network on a graph of PyG, as one object."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch_geometric.data import Data


def on_data(
    network: nn.Module,
    data: Data,
    x: Tensor | None = None,
    return_routing: bool = False,
) -> Any:
    """Runs a network on all that it reads of a graph. Features of graphs are
    left out where the network reads none.

    Args:
        network: The network; see
            :class:`~gmoe.nn.models.network.LayeredNetwork`.
        data: The graph, or a batch of graphs.
        x: Node features in the place of those of the graph.
        return_routing: Whether to return the routings too.
    """
    return network(
        data.x if x is None else x,
        data.edge_index,
        data.edge_attr,
        data.batch,
        data.get('edge_index_2hop'),
        data.get('edge_attr_2hop'),
        batch_size=None if data.batch is None else data.num_graphs,
        return_routing=return_routing,
        graph_attr=data.get('graph_attr') if network.graph_dims else None,
    )
