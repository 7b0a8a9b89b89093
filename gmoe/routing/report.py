"""Which nodes of a graph go where, by their degree and their homophily."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gmoe.ops.check import check_ids
from gmoe.routing.routing import Routing

#: Where the buckets of degrees and those of homophily begin.
DEGREES = (0, 1, 2, 3, 5, 9, 17, 33, 65, 129)
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8)


class Bucket(NamedTuple):
    """How one layer routes some of the nodes.

    Args:
        layer: The number of the mixture among those of the network.
        by: What the nodes have in common: their ``'degree'`` or their
            ``'homophily'``.
        low: The least that they have of it.
        high: What they have less of; the last bucket has no end.
        nodes: The number of nodes.
        experts: The mean number of experts of a node.
        hop1: The share of the weight at hop-1 experts.
        entropy: The mean entropy of a node's weights, in nats.
    """

    layer: int
    by: str
    low: float
    high: float
    nodes: int
    experts: float
    hop1: float
    entropy: float


def routing_report(
    routings: Sequence[Routing],
    edge_index: Tensor,
    y: Tensor | None = None,
    num_experts_1hop: int | None = None,
) -> list[Bucket]:
    """The routing of nodes by degree and by local homophily: the share of a
    node's neighbours that have its class. Nodes for which that is not known
    are in the buckets of degrees only.

    Args:
        routings: The routing of each mixture.
        edge_index: The edges, int64 of shape :math:`(2, E)`; a node's degree
            is the number of those into it.
        y: The classes, int64 of shape :math:`(N)`, -1 where there is none.
            (default: no buckets of homophily)
        num_experts_1hop: The number of hop-1 experts, which come first.
            (default: all)

    Returns:
        A row for each mixture and bucket that holds a node.

    Raises:
        ValueError: If the edges or the classes are of another number of nodes
            than a routing.
    """
    out = []
    for layer, routing in enumerate(routings):
        n = routing.num_nodes
        if y is not None and y.shape != (n,):
            raise ValueError(
                f"'y' must hold a class for each of the {n} nodes of "
                f"'routings', got shape {list(y.shape)}"
            )
        check_ids('edge_index', edge_index, n)
        degree = torch.bincount(edge_index[1], minlength=n)
        values: dict[str, tuple[Tensor, tuple[float, ...]]]
        values = {'degree': (degree, DEGREES)}
        if y is not None:
            values['homophily'] = (homophily(edge_index, y), SHARES)
        numbers = _of_nodes(routing, num_experts_1hop)
        for by, (value, bounds) in values.items():
            for low, high in zip(bounds, (*bounds[1:], torch.inf)):
                at = (value >= low) & (value < high)
                if at.any():
                    means = numbers[at].mean(dim=0).tolist()
                    size = int(at.sum())
                    out.append(Bucket(layer, by, low, high, size, *means))
    return out


def homophily(edge_index: Tensor, y: Tensor) -> Tensor:
    """The share of each node's neighbours that have its class, among those
    whose class is known; NaN without any.

    Args:
        edge_index: The edges, int64 of shape :math:`(2, E)`, from neighbours.
        y: The classes, int64 of shape :math:`(N)`, -1 where there is none.
    """
    source, target = edge_index
    known = (y[source] >= 0) & (y[target] >= 0) & (source != target)
    source, target = source[known], target[known]
    count, same = torch.zeros(2, len(y), device=y.device)
    count.index_add_(0, target, torch.ones_like(count[target]))
    same.index_add_(0, target, (y[source] == y[target]).to(same.dtype))
    return same / count  # Zero by zero is NaN.


def _of_nodes(routing: Routing, num_experts_1hop: int | None) -> Tensor:
    # The number of experts, the share at hop 1 and the entropy of each node.
    gates = routing.gates.detach().double()
    share = gates / gates.sum(dim=1, keepdim=True).clamp(min=1e-12)
    return torch.stack(
        [
            (gates > 0).sum(dim=1).double(),
            share[:, :num_experts_1hop].sum(dim=1),
            torch.special.entr(share).sum(dim=1),
        ],
        dim=1,
    )
