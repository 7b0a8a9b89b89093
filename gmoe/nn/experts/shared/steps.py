"""The layers that a network is made of, one after the other."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from torch import nn
from torch_geometric.nn import MLP, BatchNorm

from gmoe.nn.experts.shared.plain import is_plain, is_plain_linear

# Layers that treat each number by itself, and have no parameters.
_POINTWISE: tuple[Any, ...] = (
    nn.Dropout,
    nn.ELU,
    nn.GELU,
    nn.Identity,
    nn.LeakyReLU,
    nn.ReLU,
    nn.SELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Softplus,
    nn.Tanh,
)


def steps_of(network: Any) -> list[nn.Module]:
    """The layers of a network: those of a :class:`torch.nn.Sequential`, or of
    a :class:`torch_geometric.nn.MLP`; else the network alone.

    Args:
        network: The network.
    """
    if not is_plain(network):
        return [network]
    kind: Any = type(network)
    if kind is nn.Sequential:
        return [step for child in network for step in steps_of(child)]
    if kind is BatchNorm:  # That of PyG holds PyTorch's.
        return steps_of(network.module)
    return _layers(network) if kind is MLP else [network]


def signature_of_step(step: nn.Module) -> Hashable:
    """What layers of several networks must agree in to run together;
    :obj:`None` if they cannot.

    Args:
        step: A layer.
    """
    kind: Any = type(step)
    if is_plain_linear(step):
        weight: Any = step.weight
        return weight.shape, weight.dtype, weight.device, step.bias is None
    if not is_plain(step):
        return None
    if kind in _POINTWISE:
        return kind, str(step), step.training
    if kind is nn.BatchNorm1d:
        norm: Any = step
        if norm.affine and norm.track_running_stats and norm.momentum:
            size, training = norm.num_features, norm.training
            return kind, size, norm.eps, norm.momentum, training
    return None


def _layers(network: Any) -> list[nn.Module]:
    acts = [] if network.act is None else [network.act]
    found: list[nn.Module] = []
    for at, linear in enumerate(network.lins):
        found.append(linear)
        if at < len(network.norms):
            norm = steps_of(network.norms[at])
            found += [*acts, *norm] if network.act_first else [*norm, *acts]
        if network.dropout[at] > 0:
            dropout = nn.Dropout(network.dropout[at])
            found.append(dropout.train(network.training))
    if any(not isinstance(layer, nn.Module) for layer in found):
        return [network]  # Its activation is a function.
    return found
