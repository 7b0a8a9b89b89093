"""Experts that begin as copies of a single convolution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from gmoe.common.noise import disturbed
from gmoe.nn.encoders.edge_encoder import LinearEdgeEncoder
from gmoe.nn.experts.bank import ExpertBank
from gmoe.nn.experts.gin import GINExperts
from gmoe.nn.experts.module import ModuleExperts
from gmoe.nn.experts.relational import RelationalExperts
from gmoe.nn.norm import ExpertNorm


@torch.no_grad()
def copy_conv(bank: ExpertBank, conv: nn.Module, noise: float) -> None:
    """Gives each expert of a bank the weights of a convolution, with noise of
    its own. What the experts of a hop share has none, and neither has a
    normalisation inside.

    Args:
        bank: The bank, whose experts are all of the convolution's kind and
            look at the same hop.
        conv: The convolution.
        noise: As of :func:`~gmoe.common.noise.disturbed`.
    """
    if isinstance(bank, ModuleExperts):
        for expert in bank.experts:
            expert.load_state_dict(conv.state_dict())
            for parameter in expert.parameters():
                parameter.copy_(disturbed(parameter, noise))
        return
    for stacked, value in _weights(bank, conv):
        for row in stacked:
            row.copy_(disturbed(value, noise).view_as(row))
    if isinstance(bank, GINExperts):
        mlp: Any = conv.mlp
        copy_norm(bank.norm, mlp[1])
    encoder: Any = conv.edge_encoder
    banks: Any = bank.edge_encoders
    for experts in banks.encoders.values():
        if isinstance(experts, LinearEdgeEncoder):
            experts.linear.load_state_dict(encoder.state_dict())
            continue
        is_shared = experts.num_experts < bank.num_experts
        for row in experts.weight:
            value = disturbed(encoder.weight, 0 if is_shared else noise)
            row.copy_(value.view_as(row))


@torch.no_grad()
def copy_norm(norms: ExpertNorm, norm: nn.Module) -> None:
    """Gives each expert the parameters and running statistics of a
    normalisation.

    Args:
        norms: The normalisation of the experts.
        norm: The one of a single convolution, of the same kind.
    """
    values = norm.state_dict()
    for name, stacked in norms.state_dict().items():
        stacked.copy_(values[name].expand_as(stacked))


def _weights(bank: Any, conv: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """The stacked weights of a bank, beside those of the convolution."""
    if isinstance(bank, GINExperts):
        yield bank.eps, conv.eps
        for number, linear in enumerate((conv.mlp[0], conv.mlp[3]), start=1):
            yield getattr(bank, f'weight{number}'), linear.weight.t()
            yield getattr(bank, f'bias{number}'), linear.bias
        return
    yield bank.weight, conv.linear.weight.t()
    yield bank.bias, conv.linear.bias
    if isinstance(bank, RelationalExperts):
        yield bank.root, conv.root.weight.t()
    else:
        yield bank.root, conv.root
