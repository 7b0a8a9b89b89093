"""Edge features as tables of terms, one row per code."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gmoe.nn.encoders.embedding import (
    LinearEncoder,
    check_categories,
    check_dims,
)
from gmoe.nn.neighborhood import Neighborhood
from gmoe.ops.check import sees_values

# Beyond this number of codes, only those that occur get a row, also where it
# costs a wait for a GPU to know them.
_MAX_CODES = 4096

# The largest matrix that tells which embeddings make up which code.
_MAX_SELECTION = 1 << 16

EdgeTerms = tuple[list[Tensor], list[Tensor]]


class CategoricalEdgeEncoder(nn.Module):
    r"""The sum of one embedding per categorical edge feature, per expert:
    OGB's bond encoder for :math:`n` experts.

    A hop-2 edge is described by the features of its two edges in order, each
    with embeddings of its own. The sums are made once per combination of
    features, not once per edge.

    Args:
        num_experts: Number of experts :math:`n`.
        dims: The number of categories of each feature of one edge.
        out_channels: Size of the edge term :math:`D`.
        num_hops: 1, or 2 for hop-2 edges.
    """

    offsets: Tensor

    def __init__(
        self,
        num_experts: int,
        dims: Sequence[int],
        out_channels: int,
        num_hops: int = 1,
    ) -> None:
        super().__init__()
        self.num_experts = num_experts
        self.dims = check_dims(dims)
        self.out_channels = out_channels
        self.num_hops = num_hops
        offsets = torch.tensor(self.dims).cumsum(0) - torch.tensor(self.dims)
        self.register_buffer('offsets', offsets, persistent=False)
        self.weight = nn.Parameter(
            torch.empty(num_experts, num_hops, sum(self.dims), out_channels)
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws each feature's embeddings as OGB does (Glorot)."""
        for expert in self.weight.data:
            for group in expert:
                for embedding in group.split(self.dims):
                    nn.init.xavier_uniform_(embedding)

    def forward(self, hop: Neighborhood, name: str = 'edge_attr') -> EdgeTerms:
        r"""Makes the tables of edge terms.

        Args:
            hop: Edges with int64 features of shape :math:`(E, F)`, or
                :math:`(E, 2 F)` on hop-2 edges.
            name: How error messages call the features.

        Returns:
            For each of an edge's one or two groups of features, a table of
            shape :math:`(n, C, D)` and the edges' codes of shape :math:`(E)`.

        Raises:
            ValueError: If the features are missing, or have another shape,
                type or range (the range is checked on the CPU only).
        """
        return categorical_terms(
            hop, self.weight, self.dims, self.offsets, name
        )

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.num_experts}, {self.dims}, '
            f'{self.out_channels}, num_hops={self.num_hops})'
        )


class LinearEdgeEncoder(nn.Module):
    r"""A linear map of floating-point edge features, shared by the experts
    of one hop.

    Args:
        in_channels: The number of features of one edge.
        out_channels: Size of the edge term :math:`D`.
        num_hops: 1, or 2 for hop-2 edges, which carry the features of their
            two edges in order.
    """

    def __init__(
        self, in_channels: int, out_channels: int, num_hops: int = 1
    ) -> None:
        super().__init__()
        self.linear = LinearEncoder(num_hops * in_channels, out_channels)

    def reset_parameters(self) -> None:
        """Resets the linear map."""
        self.linear.reset_parameters()

    def forward(self, hop: Neighborhood, name: str = 'edge_attr') -> EdgeTerms:
        r"""Makes one table with a row per edge.

        Args:
            hop: Edges with floating-point features of shape :math:`(E, F)`,
                or :math:`(E, 2 F)` on hop-2 edges.
            name: How error messages call the features.

        Returns:
            A table of shape :math:`(1, E, D)` and codes of shape :math:`(E)`.

        Raises:
            ValueError: If the features are missing, have another shape or
                type, or are not finite (looked at on the CPU only).
        """
        if hop.edge_attr is None:
            raise ValueError(
                f"'{name}' must be given: the experts expect "
                f'{self.linear.in_features} floating-point features, got None'
            )
        table = self.linear(hop.edge_attr, name)
        code = torch.arange(hop.num_edges, device=table.device)
        return [table.unsqueeze(0)], [code]


def categorical_terms(
    hop: Neighborhood,
    weight: Tensor,
    dims: tuple[int, ...],
    offsets: Tensor,
    name: str = 'edge_attr',
) -> EdgeTerms:
    r"""The tables and codes of categorical edge features.

    Args:
        hop: Edges with int64 features of shape :math:`(E, H F)`, in
            :math:`H` groups.
        weight: The embeddings of shape :math:`(n, H, C, D)`, where :math:`C`
            is the number of categories of all features of a group.
        dims: The number of categories of each feature of a group.
        offsets: The first embedding of each feature.
        name: How error messages call the features.

    Returns:
        For each group, a table with a row per code, and the edges' codes.
    """
    num_groups = weight.size(1)
    codes, digits = hop.memo(
        ('codes', dims, num_groups),
        lambda: _codes(hop, dims, num_groups, name),
    )
    tables = []
    for group, chosen in enumerate(digits):
        if chosen.size(0) * weight.size(2) > _MAX_SELECTION:
            shape = (weight.size(0), *chosen.shape, weight.size(3))
            index = (chosen + offsets).view(-1)
            rows = weight[:, group].index_select(1, index)
            tables.append(rows.view(shape).sum(dim=2))
            continue

        # A product with a matrix of zeros and ones has a faster gradient.
        def select(chosen: Tensor = chosen) -> Tensor:
            zeros = weight.new_zeros(chosen.size(0), weight.size(2))
            return zeros.scatter(1, chosen + offsets, 1.0)

        key = ('selection', dims, num_groups, group, weight.dtype)
        tables.append(hop.memo(key, select) @ weight[:, group])
    return tables, codes


def _codes(
    hop: Neighborhood, dims: tuple[int, ...], num_groups: int, name: str
) -> tuple[list[Tensor], list[Tensor]]:
    # Features are the digits of a code in the mixed radix of dims.
    attr = hop.edge_attr
    if attr is None:
        raise ValueError(
            f"'{name}' must be given: the experts expect "
            f'{num_groups * len(dims)} categorical features, got None'
        )
    check_categories(attr, dims * num_groups, name)
    attr = attr.reshape(hop.num_edges, num_groups, len(dims))
    num_codes = math.prod(dims)
    if num_codes > torch.iinfo(torch.int64).max:  # No number tells all apart.
        rows = [
            group.unique(dim=0, return_inverse=True)
            for group in attr.unbind(dim=1)
        ]
        return [inverse for _, inverse in rows], [row for row, _ in rows]
    code = attr.new_zeros(hop.num_edges, num_groups)
    for feature, dim in enumerate(dims):
        code = code * dim + attr[:, :, feature]
    codes = list(code.t().contiguous())
    if num_codes <= _MAX_CODES and not sees_values(code):
        every = torch.arange(num_codes, device=code.device)
        return codes, [_digits(every, dims)] * num_groups
    used = [code.unique(return_inverse=True) for code in codes]
    return (
        [inverse for _, inverse in used],
        [_digits(code, dims) for code, _ in used],
    )


def _digits(code: Tensor, dims: tuple[int, ...]) -> Tensor:
    digits = []
    for dim in reversed(dims):
        digits.append(code % dim)
        code = code.div(dim, rounding_mode='floor')
    return torch.stack(digits[::-1], dim=1)
