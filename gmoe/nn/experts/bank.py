"""The base of all banks of experts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn.inits import reset

from gmoe import ops
from gmoe.common.arguments import check_integer
from gmoe.nn.arguments import count_1hop
from gmoe.nn.encoders.edge_encoder import (
    CategoricalEdgeEncoder,
    EdgeTerms,
    LinearEdgeEncoder,
)
from gmoe.nn.encoders.embedding import check_dims
from gmoe.nn.neighborhood import Neighborhood
from gmoe.routing import ExpertSlots

#: For each hop that has experts, its number (1 or 2), the number of its
#: experts, and its edges.
Hops = Iterable[tuple[int, int, Neighborhood]]


class ExpertBank(nn.Module):
    r"""Holds the parameters of :math:`n` experts and computes their outputs
    for routed nodes only.

    The first :math:`m` experts look at hop-1 edges, the others at hop-2 edges.

    Args:
        in_channels: Size of each input node's features.
        out_channels: Size of each output node's features.
        num_experts: Number of experts :math:`n`.
        num_experts_1hop: Number of hop-1 experts :math:`m`. (default: all)

    Raises:
        ValueError: If a size is below 1, or :math:`m` is not in
            :math:`[0, n]`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_experts: int,
        num_experts_1hop: int | None = None,
    ) -> None:
        super().__init__()
        check_integer(1, in_channels=in_channels, out_channels=out_channels)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.num_experts = num_experts
        self.num_experts_1hop = count_1hop(num_experts, num_experts_1hop)

    @property
    def num_experts_2hop(self) -> int:
        """The number of hop-2 experts, :math:`n - m`."""
        return self.num_experts - self.num_experts_1hop

    def reset_parameters(self) -> None:
        """Resets the parameters of all experts."""
        raise NotImplementedError

    def forward(
        self,
        x: Tensor,
        slots: ExpertSlots,
        hop1: Neighborhood | None,
        hop2: Neighborhood | None,
    ) -> Tensor:
        r"""Computes each slot's output.

        Args:
            x: Node features of shape :math:`(N, D_{in})`.
            slots: The routed slots, grouped by expert.
            hop1: The hop-1 edges; :obj:`None` if there are no hop-1 experts.
            hop2: The hop-2 edges; :obj:`None` if there are no hop-2 experts.

        Returns:
            Outputs of shape :math:`(S, D_{out})`, ordered as :obj:`slots`.
        """
        return self.compute(x, slots, self.hops(hop1, hop2))

    def compute(self, x: Tensor, slots: ExpertSlots, hops: Hops) -> Tensor:
        """Computes the outputs of :meth:`forward` from the hops in use."""
        raise NotImplementedError

    def hops(
        self, hop1: Neighborhood | None, hop2: Neighborhood | None
    ) -> Hops:
        """The hops that have experts."""
        counts = (self.num_experts_1hop, self.num_experts_2hop)
        for num_hops, hop in enumerate((hop1, hop2), start=1):
            if counts[num_hops - 1] > 0:
                assert hop is not None
                yield num_hops, counts[num_hops - 1], hop

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, '
            f'{self.out_channels}, num_experts={self.num_experts}, '
            f'num_experts_1hop={self.num_experts_1hop})'
        )


def stacked(*shape: int) -> nn.Parameter:
    """Parameters of all experts, with any values."""
    return nn.Parameter(torch.empty(shape))


def draw_linear(in_channels: int, *parameters: Tensor) -> None:
    """Draws the parameters of linear maps as :class:`torch.nn.Linear` does."""
    bound = 1 / math.sqrt(in_channels)
    for parameter in parameters:
        nn.init.uniform_(parameter, -bound, bound)


class EdgeEncoders(nn.Module):
    """The edge encoders of a bank, one for each hop that has experts.

    Args:
        bank: The bank, whose numbers of experts are read.
        edge_dims: The numbers of categories of categorical edge features, the
            number of floating-point edge features, or :obj:`None`.
        channels: Size of the edge terms.
        shared: Whether the experts of a hop share one encoder of categorical
            features, as they do that of floating-point ones.
    """

    def __init__(
        self,
        bank: ExpertBank,
        edge_dims: int | Sequence[int] | None,
        channels: int,
        shared: bool = False,
    ) -> None:
        super().__init__()
        if isinstance(edge_dims, int):
            check_integer(0, edge_dims=edge_dims)
        elif edge_dims is not None:
            edge_dims = check_dims(edge_dims, 'edge_dims')
        self.encoders = nn.ModuleDict()
        counts = (bank.num_experts_1hop, bank.num_experts_2hop)
        for num_hops, count in enumerate(counts, start=1):
            if count == 0 or edge_dims is None:
                continue
            self.encoders[f'{num_hops}hop'] = (
                LinearEdgeEncoder(edge_dims, channels, num_hops)
                if isinstance(edge_dims, int)
                else CategoricalEdgeEncoder(
                    1 if shared else count, edge_dims, channels, num_hops
                )
            )

    def reset_parameters(self) -> None:
        """Resets all encoders."""
        reset(self.encoders)

    def forward(self, num_hops: int, hop: Neighborhood) -> EdgeTerms:
        """The tables and codes of a hop's edges; none without features.

        Args:
            num_hops: 1 or 2.
            hop: The edges.
        """
        key = f'{num_hops}hop'
        if key not in self.encoders:
            return [], []
        name = 'edge_attr' if num_hops == 1 else 'edge_attr_2hop'
        return self.encoders[key](hop, name)

    def message_hop(
        self, num_hops: int, count: int, hop: Neighborhood, *weights: Any
    ) -> ops.MessageHop:
        """One of the :data:`Hops` as the ops take it.

        Args:
            num_hops: 1 or 2.
            count: The number of its experts.
            hop: The edges.
            *weights: The weights of the edges, and of the nodes themselves.
        """
        terms = self(num_hops, hop)
        return ops.MessageHop(count, hop.ptr, hop.source, *terms, *weights)
