"""Graph isomorphism convolutions without edge features."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gmoe import ops
from gmoe.nn.experts.shared.conv import SharedConv
from gmoe.nn.experts.shared.networks import run_networks
from gmoe.routing import ExpertSlots


class SharedGIN(SharedConv):
    r"""Experts of :class:`torch_geometric.nn.GINConv`:

    .. math::
        \mathbf{h}_{io} = \mathrm{network}_o \Big( (1 + \epsilon_o)
        \mathbf{x}_i + \sum_j \mathbf{x}_j \Big)

    Each network sees the rows of its routed nodes alone. One that normalises
    over rows does so over these.
    """

    def settings(self, expert: Any) -> Hashable:
        if not isinstance(expert.nn, nn.Module):
            return None
        return super().settings(expert)

    def outputs(
        self,
        experts: Sequence[Any],
        rows: Tensor,
        x: Tensor,
        slots: ExpertSlots,
        channels: int,
    ) -> Tensor:
        scale = 1 + torch.stack([expert.eps for expert in experts])
        own = ops.gather_rows(x, slots.node)
        rows = rows + own * ops.gather_rows(scale, slots.expert)
        return run_networks([e.nn for e in experts], rows, slots.ptr, channels)
