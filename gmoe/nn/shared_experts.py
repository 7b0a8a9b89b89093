"""Experts that every node uses."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gmoe.nn.experts.bank import ExpertBank
from gmoe.nn.neighborhood import Neighborhood
from gmoe.nn.norm import ExpertNorm
from gmoe.routing import Routing


class SharedExperts(nn.Module):
    r"""The sum of all experts of a bank at every node, each normalised:
    the shared experts of `DeepSeekMoE <https://arxiv.org/abs/2401.06066>`_.

    .. math::
        \mathbf{x}^{\prime}_i = \sum_{o = 1}^{s} \mathrm{norm}_o \big(
        \mathrm{expert}_o ( \mathbf{x}_i, \{ \mathbf{x}_j : j \in
        \mathcal{N}_o(i) \} ) \big)

    There is no router, and no weight. :class:`~gmoe.nn.GMoEConv` adds it to
    what its chosen experts give.

    Args:
        experts: The bank of :math:`s` experts, of any kind.
        norm: Normalisation of each expert's outputs: :obj:`"batch_norm"`,
            :obj:`"layer_norm"` or :obj:`None`.
        beside: The bank that they are added to, whose sizes they must have.

    Raises:
        ValueError: If they have not.

    Shapes:
        - **input:** node features :math:`(N, D_{in})`, hop-1 edges, hop-2
          edges
        - **output:** node features :math:`(N, D_{out})`
    """

    def __init__(
        self,
        experts: ExpertBank,
        norm: str | None,
        beside: ExpertBank | None = None,
    ) -> None:
        super().__init__()
        banks = (experts, beside or experts)
        sizes, wanted = ((b.in_channels, b.out_channels) for b in banks)
        if sizes != wanted:
            raise ValueError(
                "'shared_experts' must have the input and output sizes of "
                f"'experts', {wanted}, got {sizes}"
            )
        self.experts = experts
        self.norm = (
            None
            if norm is None
            else ExpertNorm(experts.num_experts, experts.out_channels, norm)
        )

    def reset_parameters(self) -> None:
        """Resets all parameters and running statistics."""
        self.experts.reset_parameters()
        if self.norm is not None:
            self.norm.reset_parameters()

    def forward(
        self,
        x: Tensor,
        hop1: Neighborhood | None,
        hop2: Neighborhood | None,
        **kwargs: Any,
    ) -> Tensor:
        """The sum of the experts' outputs at each node.

        Args:
            x: Node features.
            hop1: The hop-1 edges, where experts look at them.
            hop2: The hop-2 edges, likewise.
            **kwargs: What else the experts take.
        """
        dtype = torch.promote_types(x.dtype, torch.float32)
        shape = (x.size(0), self.experts.num_experts)
        ones = torch.ones(shape, dtype=dtype, device=x.device)
        slots = Routing.dense(ones).by_expert
        h = self.experts(x, slots, hop1, hop2, **kwargs)
        if self.norm is None:
            return slots.combine(h, x.size(0))
        return self.norm.combine(h, slots, x.size(0))
