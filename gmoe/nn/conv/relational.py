"""The plain relational convolution: one expert, no gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from gmoe.common.arguments import check_choice
from gmoe.nn.conv.neighborhood_conv import NeighborhoodConv
from gmoe.nn.encoders.embedding import make_feature_encoder
from gmoe.nn.linear import Linear

#: How many times the size of a node's features a relation has.
RELATION_SIZES = {'mult': 1, 'sub': 1, 'gate': 2}


class RelationalConv(NeighborhoodConv):
    r"""The relational graph convolution of a single expert, after CompGCN
    (`Vashishth et al. 2020 <https://arxiv.org/abs/1911.03082>`_). See
    :class:`RelationalExperts` for the formula.

    Args:
        in_channels: Size of each input node's features.
        out_channels: Size of each output node's features.
        edge_dims: The number of floating-point edge features; or the numbers
            of categories of categorical edge features; or :obj:`None`.
        composition: :obj:`"mult"`, :obj:`"sub"` or :obj:`"gate"`.
        **kwargs: Arguments of PyG's :class:`MessagePassing`.

    Shapes:
        - **input:** node features :math:`(N, D_{in})`, edge indices
          :math:`(2, E)`, edge features :math:`(E, F)`; or, in place of the
          edges and their features, a :class:`~gmoe.nn.Neighborhood`
        - **output:** node features :math:`(N, D_{out})`

    Raises:
        ValueError: If :obj:`composition` is unknown, or edge features are
            missing.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        edge_dims: int | Sequence[int] | None = None,
        composition: str = 'mult',
        **kwargs: Any,
    ) -> None:
        super().__init__(
            in_channels, out_channels, **{'aggr': 'mean', **kwargs}
        )
        check_choice('composition', composition, RELATION_SIZES)
        self.composition = composition
        self.linear = Linear(in_channels, out_channels)
        self.root = Linear(in_channels, out_channels, bias=False)
        self.edge_encoder = make_feature_encoder(
            edge_dims, RELATION_SIZES[composition] * in_channels
        )

    def _convolve(
        self, x: Tensor, edge_index: Tensor, edge_term: Tensor | None
    ) -> Tensor:
        mean = self.propagate(edge_index, x=x, edge_term=edge_term)
        return self.linear(mean) + self.root(x)

    def message(self, x_j: Tensor, edge_term: Tensor | None) -> Tensor:
        if edge_term is None:
            return x_j
        return compose(self.composition, x_j, edge_term)


def compose(composition: str, x: Tensor, relation: Tensor) -> Tensor:
    """Composes the features of neighbours and relations into messages.

    Args:
        composition: A key of :obj:`RELATION_SIZES`.
        x: The features of the neighbours.
        relation: The features of the relations.
    """
    if composition == 'mult':
        return x * relation
    if composition == 'sub':
        return x - relation
    gate, term = relation.chunk(2, dim=1)
    return gate.sigmoid() * x + term
