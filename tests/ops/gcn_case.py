"""Random inputs of the fused graph convolutions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gmoe.ops import gcn_experts
from gmoe.ops.hops import pack_hops
from tests.ops.message_case import TWO_HOPS, MessageCase, make_case

IN = 4


@dataclass(frozen=True)
class GCNCase:
    """The arguments of the op; the message's own x is not one of them."""

    x: Tensor
    weight: Tensor
    bias: Tensor
    message: MessageCase

    def map(self, function):
        parts = (self.x, self.weight, self.bias)
        return GCNCase(*map(function, parts), self.message.map(function))

    def to(self, dtype):
        parts = [
            part.detach().to(dtype, copy=True).requires_grad_()
            for part in (self.x, self.weight, self.bias)
        ]
        return GCNCase(*parts, no_weight_grad(self.message.to(dtype)))

    def leaves(self):
        tables = [t for hop in self.message.hops for t in hop.tables]
        return [self.x, self.weight, self.bias, self.message.root, *tables]

    def __call__(self, slots_per_node=None):
        message = self.message
        return gcn_experts(
            self.x,
            self.weight,
            self.bias,
            message.root,
            message.node,
            message.expert,
            message.hops,
            slots_per_node,
        )

    def slow(self):
        """The op as one loop per slot and edge."""
        if self.message.node.numel() == 0:
            return self.x.new_zeros(0, self.weight.size(2))
        return self.message.slow(
            lambda o, j: self.x[j] @ self.weight[o] + self.bias[o]
        )


def no_weight_grad(message):
    """The fused op serves weights that have no gradient."""
    hops = [
        hop
        if hop.edge_weight is None
        else hop._replace(edge_weight=hop.edge_weight.detach())
        for hop in message.hops
    ]
    return replace(message, hops=hops)


def make_gcn(
    specs=TWO_HOPS, num_nodes=6, channels=5, in_channels=IN, **kwargs
):
    """Random inputs in float64; see make_case."""
    message = make_case(specs, num_nodes, channels, root=True, **kwargs)
    generator = torch.Generator().manual_seed(7)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    n = message.num_experts
    return GCNCase(
        normal(num_nodes, in_channels),
        normal(n, in_channels, channels),
        normal(n, channels),
        message,
    ).to(torch.float64)


def op_arguments(case, num_messages):
    """What the op is called with."""
    message = case.message
    return (
        case.x,
        case.weight,
        message.root,
        message.node,
        message.expert,
        *pack_hops(message.hops, case.x.dtype),
        num_messages,
    )
