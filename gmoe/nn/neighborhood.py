"""Edges grouped by target, with what the experts derive from them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from gmoe.nn.edge_check import check_edges, check_type
from gmoe.ops.check import check_ids, check_ptr, check_shape, sees_values

T = TypeVar('T')

# The key of the mark of edges that are known to be right.
_CHECKED = 'checked'


@dataclass(frozen=True, eq=False)
class Neighborhood:
    r"""The edges of a graph, or of a batch of graphs, ordered by target.

    Layers build it from ``edge_index`` themselves. A model with several
    layers builds it once and hands it to each of them in place of
    ``edge_index``, so that the work of sorting and checking is done once::

        hop1 = Neighborhood.from_edge_index(edge_index, edge_attr, x.size(0))
        for conv in convs:
            x = conv(x, hop1)

    Args:
        ptr: The edges into node :math:`i` are ``ptr[i]:ptr[i + 1]``, int64 of
            shape :math:`(N + 1)`.
        source: Source of each edge, int64 of shape :math:`(E)`.
        target: Target of each edge, int64 of shape :math:`(E)`,
            non-decreasing.
        edge_attr: Features of each edge, of shape :math:`(E, F)`, or
            :obj:`None`.
        order: Where each edge was among those that were given, int64 of shape
            :math:`(E)`; :obj:`None` if they were given in this order.
        edge_mask: The factor of each edge's messages while a prediction is
            explained, of shape :math:`(E)`, or :obj:`None`.

    Raises:
        ValueError: If the edges are not grouped by target as :obj:`ptr` tells,
            or a shape, a type or a node id is wrong. Values are looked at on
            the CPU only, once for all layers.
    """

    ptr: Tensor
    source: Tensor
    target: Tensor
    edge_attr: Tensor | None = None
    order: Tensor | None = None
    edge_mask: Tensor | None = None
    _memo: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if _CHECKED not in self._memo:
            _check_grouped(self)
            self._memo[_CHECKED] = True

    @classmethod
    def from_edge_index(
        cls,
        edge_index: Tensor,
        edge_attr: Tensor | None,
        num_nodes: int,
        name: str = 'edge_index',
    ) -> Neighborhood:
        r"""Sorts edges by target, keeping the order of equal targets.

        Args:
            edge_index: Sources and targets, int64 of shape :math:`(2, E)`.
            edge_attr: Features of shape :math:`(E, F)` or :math:`(E)`.
            num_nodes: Number of nodes :math:`N`.
            name: How error messages call :obj:`edge_index`.

        Raises:
            ValueError: If a shape, a type, a number or a node id is wrong.
                Node ids are checked on the CPU only.
        """
        check_edges(edge_index, edge_attr, num_nodes, name)
        target, order = edge_index[1].sort(stable=True)
        degree = torch.zeros(
            num_nodes, dtype=torch.long, device=edge_index.device
        ).index_add_(0, target, torch.ones_like(target))
        if edge_attr is not None:
            edge_attr = edge_attr[order]
            if edge_attr.dim() == 1:
                edge_attr = edge_attr.unsqueeze(-1)
        return cls(
            ptr=torch.cat([degree.new_zeros(1), degree.cumsum(0)]),
            source=edge_index[0][order],
            target=target,
            edge_attr=edge_attr,
            order=order,
            _memo={_CHECKED: True},
        )

    @classmethod
    def of(
        cls,
        edges: Any,
        edge_attr: Tensor | None,
        num_nodes: int,
        name: str = 'edge_index',
    ) -> Neighborhood:
        """The edges of a layer's call, which are sorted unless they are.

        Args:
            edges: Edge indices, or sorted edges.
            edge_attr: Their features, which sorted ones hold themselves.
            num_nodes: Number of nodes.
            name: How error messages call the edges.

        Raises:
            ValueError: If they are wrong, or do not go with the call.
        """
        if isinstance(edges, Neighborhood):
            edges.check_given_for(num_nodes, edge_attr, name)
            return edges
        return cls.from_edge_index(edges, edge_attr, num_nodes, name)

    @property
    def num_nodes(self) -> int:
        """The number of nodes :math:`N`."""
        return self.ptr.numel() - 1

    @property
    def num_edges(self) -> int:
        """The number of edges :math:`E`."""
        return self.source.numel()

    @property
    def edge_index(self) -> Tensor:
        """Sources and targets, int64 of shape :math:`(2, E)`."""
        return torch.stack([self.source, self.target])

    def check_given_for(
        self,
        num_nodes: int,
        edge_attr: Tensor | None,
        name: str = 'edge_index',
    ) -> None:
        """Refuses what does not go with these edges in a layer's call.

        Args:
            num_nodes: The number of nodes that the layer is called with.
            edge_attr: The features that it is called with. They cannot be
                told apart once edges are sorted, and so can only be those
                that are held here.
            name: How error messages call the edges.

        Raises:
            ValueError: If the number of nodes is another one, or there are
                other features.
        """
        if self.num_nodes != num_nodes:
            raise ValueError(
                f"'{name}' must be a Neighborhood of {num_nodes} nodes, as "
                f"'x' has, got one of {self.num_nodes}"
            )
        if edge_attr is not None and edge_attr is not self.edge_attr:
            raise ValueError(
                f"'{name.replace('index', 'attr')}' must be None beside a "
                'Neighborhood, which holds the features of its edges in their'
                ' order (give them to Neighborhood.from_edge_index), got '
                f'a {type(edge_attr).__name__}'
            )

    @property
    def given_edge_index(self) -> Tensor:
        """Sources and targets in the order in which the edges were given,
        int64 of shape :math:`(2, E)`.
        """
        return torch.stack(
            [self.to_given(self.source), self.to_given(self.target)]
        )

    def from_given(self, rows: Tensor) -> Tensor:
        """Orders rows as these edges are.

        Args:
            rows: One row per edge, in the order in which the edges were
                given.
        """
        return rows if self.order is None else rows[self.order]

    def to_given(self, rows: Tensor) -> Tensor:
        """Undoes :meth:`from_given`.

        Args:
            rows: One row per edge, in the order of these edges.
        """
        if self.order is None:
            return rows
        return rows[self.memo('inverse order', self.order.argsort)]

    def masked(self, edge_mask: Tensor) -> Neighborhood:
        """The same edges with other masks. Values that layers have derived
        from the edges are kept.

        Args:
            edge_mask: Factors of shape :math:`(E)`, in the order of these
                edges.
        """
        return replace(self, edge_mask=edge_mask)

    def gcn_norm(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        r"""The weights of OGB's molecule GCN, :math:`(d_i d_j)^{-1/2}` for
        each edge and :math:`1 / d_i` for each node, where :math:`d` is one
        more than the number of edges that start at a node.

        Args:
            dtype: The floating-point type of the weights.
        """

        def compute() -> tuple[Tensor, Tensor]:
            degree = torch.ones(
                self.num_nodes, dtype=dtype, device=self.source.device
            )
            ones = degree.new_ones(1).expand(self.num_edges)
            degree = degree.index_add(0, self.source, ones)
            scale = degree.rsqrt()
            weight = scale[self.source] * scale[self.target]
            return weight, degree.reciprocal()

        return self.memo(('gcn_norm', dtype), compute)

    def memo(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Computes something once per :obj:`key`: layers keep here what they
        derive from the same edges.

        Args:
            key: Identifies the result.
            compute: Makes the result.
        """
        if key not in self._memo:
            self._memo[key] = compute()
        return self._memo[key]


def _check_grouped(hop: Neighborhood) -> None:
    """Checks edges that somebody else has grouped, once for all layers."""
    for name in ('ptr', 'source', 'target'):
        check_type(name, getattr(hop, name))
    check_shape('source', hop.source, [None])
    check_shape('target', hop.target, hop.source.shape)
    check_ptr('ptr', hop.ptr, hop.num_edges)
    check_ids('source', hop.source, hop.num_nodes)
    if sees_values(hop.ptr):
        nodes = torch.arange(hop.num_nodes)
        target = nodes.repeat_interleave(hop.ptr.diff())
        if not torch.equal(hop.target, target):
            at = int((hop.target != target).nonzero()[0])
            raise ValueError(
                f"'target' must hold node {int(target[at])} at position {at}, "
                f"as 'ptr' tells, got {int(hop.target[at])}"
            )
    for name in ('edge_attr', 'order', 'edge_mask'):
        value = getattr(hop, name)
        if value is not None and value.shape[:1] != hop.source.shape:
            raise ValueError(
                f"'{name}' must have a row for each of the {hop.num_edges} "
                f'edges, got shape {list(value.shape)}'
            )
