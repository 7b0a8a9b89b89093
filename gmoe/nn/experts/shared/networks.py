"""The networks of several experts, each on its own rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gmoe import ops
from gmoe.nn.experts.expert_module import without_rows
from gmoe.nn.experts.shared.rows import map_rows
from gmoe.nn.experts.shared.steps import signature_of_step, steps_of


def run_networks(
    networks: Sequence[nn.Module], rows: Tensor, ptr: Tensor, channels: int
) -> Tensor:
    r"""Gives each expert's network its rows. Networks that are made of the
    same simple layers run layer by layer, all at once; others one by one.

    Statistics of batches are those of the rows of each. A single row has none:
    it is normalised with the running ones, which stay as they are.

    Args:
        networks: The network of each expert.
        rows: The rows, ordered by expert.
        ptr: Expert pointer, int64 of shape :math:`(n + 1)`.
        channels: The size of their outputs.

    Returns:
        Outputs of shape :math:`(S, D_{out})`.
    """
    steps = [steps_of(network) for network in networks]
    signatures = [[signature_of_step(s) for s in own] for own in steps]
    if None in signatures[0] or any(s != signatures[0] for s in signatures):
        return _one_by_one(networks, rows, ptr, channels)
    for layers in zip(*steps):
        if isinstance(layers[0], nn.BatchNorm1d):
            rows = _normalize(layers, rows, ptr)
        elif next(layers[0].parameters(), None) is not None:
            rows = map_rows(layers, rows, ptr)
        else:
            rows = layers[0](rows)
    return rows


def _normalize(norms: Sequence[Any], rows: Tensor, ptr: Tensor) -> Tensor:
    training = norms[0].training
    names = ('weight', 'bias', 'running_mean', 'running_var')
    scale, shift, *running = (
        torch.stack([getattr(norm, name) for norm in norms]) for name in names
    )
    rows, mean, var = ops.expert_norm(
        *(rows, scale, shift, running[0], running[1], ptr),
        *(training, norms[0].eps),
    )
    if training:
        _update(norms, mean, var, ptr)
    return rows


@torch.no_grad()
def _update(
    norms: Sequence[Any], mean: Tensor, var: Tensor, ptr: Tensor
) -> None:
    # As each would do it by itself.
    count = ptr.diff()
    counted = count > 1
    share = norms[0].momentum * counted.to(var.dtype)
    size = count.unsqueeze(-1).to(var.dtype)
    unbiased = var * (size / (size - 1).clamp(min=1))
    for o, norm in enumerate(norms):
        norm.running_mean.lerp_(mean[o], share[o])
        norm.running_var.lerp_(unbiased[o], share[o])
        norm.num_batches_tracked.add_(counted[o])


def _one_by_one(
    networks: Sequence[nn.Module], rows: Tensor, ptr: Tensor, channels: int
) -> Tensor:
    outs = []
    for network, own in zip(networks, rows.split(ptr.diff().tolist())):
        if own.size(0) == 0:
            outs.append(without_rows(network, rows, channels))
            continue
        with _running_statistics(network, own):
            outs.append(network(own))
    return torch.cat(outs)


@contextmanager
def _running_statistics(network: nn.Module, rows: Tensor) -> Iterator[None]:
    """Where there is a single row, batch normalisation takes the running
    statistics while the context is open."""
    norms = [
        module
        for module in network.modules()
        if rows.size(0) == 1
        and isinstance(module, _BatchNorm)
        and module.training
        and module.running_mean is not None
    ]
    for norm in norms:
        norm.training = False
    try:
        yield
    finally:
        for norm in norms:
            norm.training = True
