"""The base of all banks of experts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch_geometric.nn.inits import reset

from gmoe import ops
from gmoe.common.arguments import check_at_least
from gmoe.nn.arguments import count_1hop
from gmoe.nn.encoders.edge_encoder import (
    CategoricalEdgeEncoder,
    EdgeTerms,
    LinearEdgeEncoder,
)
from gmoe.nn.encoders.embedding import check_dims
from gmoe.nn.neighborhood import Neighborhood
from gmoe.routing import ExpertSlots


class BankPart(NamedTuple):
    """The experts of one hop, which a bank computes together.

    Attributes:
        num_hops: 1 or 2.
        experts: The experts, as a slice of the bank's.
        slots: Their slots, whose experts count from zero.
        hop: The edges that they look at.
    """

    num_hops: int
    experts: slice
    slots: ExpertSlots
    hop: Neighborhood


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
        check_at_least(1, in_channels=in_channels, out_channels=out_channels)
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
        raise NotImplementedError

    def hops(
        self, hop1: Neighborhood | None, hop2: Neighborhood | None
    ) -> Iterator[tuple[int, int, Neighborhood]]:
        """Yields, for each hop that has experts, its number (1 or 2), the
        number of its experts, and its edges.

        Args:
            hop1: The hop-1 edges.
            hop2: The hop-2 edges.
        """
        counts = (self.num_experts_1hop, self.num_experts_2hop)
        for num_hops, hop in enumerate((hop1, hop2), start=1):
            if counts[num_hops - 1] > 0:
                assert hop is not None
                yield num_hops, counts[num_hops - 1], hop

    def parts(
        self,
        slots: ExpertSlots,
        hop1: Neighborhood | None,
        hop2: Neighborhood | None,
    ) -> Iterator[BankPart]:
        """Yields the experts of each hop that has any.

        Args:
            slots: The routed slots, grouped by expert.
            hop1: The hop-1 edges.
            hop2: The hop-2 edges.
        """
        first = 0
        for num_hops, count, hop in self.hops(hop1, hop2):
            last = first + count
            part = slots.narrow(first, last)
            yield BankPart(num_hops, slice(first, last), part, hop)
            first = last

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, '
            f'{self.out_channels}, num_experts={self.num_experts}, '
            f'num_experts_1hop={self.num_experts_1hop})'
        )


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
            check_at_least(0, edge_dims=edge_dims)
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
        """A hop as the ops take it.

        Args:
            num_hops: 1 or 2.
            count: The number of its experts.
            hop: The edges.
            *weights: The weights of the edges, and of the nodes themselves.
        """
        terms = self(num_hops, hop)
        return ops.MessageHop(count, hop.ptr, hop.source, *terms, *weights)
