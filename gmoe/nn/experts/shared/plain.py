"""Whether a module does what its class says, and nothing else."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch_geometric.nn import MessagePassing
from torch_geometric.nn.dense import Linear

_HOOKS = (
    '_forward_hooks',
    '_forward_pre_hooks',
    '_backward_hooks',
    '_backward_pre_hooks',
)
_PASSING_HOOKS = tuple(
    f'_{step}_forward_{when}'
    for step in ('propagate', 'message', 'aggregate', 'message_and_aggregate')
    for when in ('pre_hooks', 'hooks')
)
# Classes are compared and not instances: a subclass may do something else.
_LINEAR: tuple[Any, ...] = (nn.Linear, Linear)


def is_plain(module: object) -> bool:
    """Whether nobody listens to a module, or has replaced its
    :meth:`forward`.

    Args:
        module: The module.
    """
    return (
        isinstance(module, nn.Module)
        and 'forward' not in vars(module)
        and not any(getattr(module, hooks) for hooks in _HOOKS)
    )


def is_plain_conv(conv: MessagePassing) -> bool:
    """Whether this holds for a convolution and for its messages, on rows of
    nodes, while no prediction is explained.

    Args:
        conv: The convolution.
    """
    return (
        is_plain(conv)
        and not any(getattr(conv, hooks) for hooks in _PASSING_HOOKS)
        and not conv.explain
        and conv.node_dim == -2
        and conv.decomposed_layers == 1
    )


def is_plain_linear(module: object) -> bool:
    """Whether a module is a linear map as PyTorch or PyG has it, which knows
    its sizes.

    Args:
        module: The module.
    """
    return type(module) in _LINEAR and is_plain(module)
