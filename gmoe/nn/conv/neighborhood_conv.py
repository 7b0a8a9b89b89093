"""The base of the single convolutions."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch_geometric.nn import MessagePassing
from torch_geometric.nn.inits import reset

from gmoe.nn.edge_check import check_dense, check_rows
from gmoe.nn.edge_mask import explained_edges
from gmoe.nn.encoders.embedding import CategoricalEncoder, LinearEncoder
from gmoe.nn.neighborhood import Neighborhood


class NeighborhoodConv(MessagePassing):
    """A convolution with edge features that takes a
    :class:`~gmoe.nn.Neighborhood` in place of the edges too.

    Args:
        in_channels: Size of each input node's features.
        out_channels: Size of each output node's features.
        **kwargs: Arguments of PyG's :class:`MessagePassing`.
    """

    edge_encoder: LinearEncoder | CategoricalEncoder | None

    def __init__(
        self, in_channels: int, out_channels: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.in_channels = in_channels
        self.out_channels = out_channels

    def reset_parameters(self) -> None:
        """Resets all parameters."""
        for module in self.children():
            reset(module)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor | Neighborhood,
        edge_attr: Tensor | None = None,
    ) -> Tensor:
        """Convolves node features."""
        if not isinstance(edge_index, Neighborhood):
            edge_index = check_dense(edge_index)
            check_rows(edge_attr, edge_index)
            return self._convolve(x, edge_index, self._edge_term(edge_attr))
        edge_index.check_given_for(x.size(0), edge_attr)
        if self.explain:
            with explained_edges(self, edge_index) as edges:
                return self.forward(x, *edges)
        return self._convolve_hop(x, edge_index)

    def _convolve(
        self, x: Tensor, edge_index: Tensor, edge_term: Tensor | None
    ) -> Tensor:
        """Passes messages along edges, with their encoded features."""
        raise NotImplementedError

    def _convolve_hop(self, x: Tensor, hop: Neighborhood) -> Tensor:
        """Passes messages along the edges of a neighbourhood."""
        term = self._edge_term(hop.edge_attr)
        return self._convolve(x, hop.edge_index, term)

    def _edge_term(self, edge_attr: Tensor | None) -> Tensor | None:
        """The encoded features of edges, where they are expected."""
        if self.edge_encoder is None:
            return None
        if edge_attr is None:
            raise ValueError(
                "'edge_attr' must be given: the convolution expects edge "
                'features, got None'
            )
        return self.edge_encoder(edge_attr, 'edge_attr')
