"""What a module would be whose arguments may come from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

Module = TypeVar('Module', bound=torch.nn.Module)

#: The arguments of networks that say how large they are.
_SIZES = (
    'edge_channels',
    'hidden_channels',
    'num_experts',
    'num_head_layers',
    'num_layers',
    'out_channels',
    'text_channels',
)


def too_large(
    arguments: Mapping[str, Any], weights: Mapping[str, Any]
) -> str | None:
    """The name of an argument that asks for a larger network than there are
    weights for. With many layers, even an :func:`outline` takes long.

    Args:
        arguments: The arguments of a network.
        weights: Its weights by their names.
    """
    numbers = sum(v.numel() for v in weights.values() if isinstance(v, Tensor))
    for key, value in arguments.items():
        # Each layer has a tensor at least, and each channel a number.
        most = len(weights) if key.endswith('layers') else numbers
        if key in _SIZES and isinstance(value, int) and value > most:
            return key
    return None


def outline(
    make: Callable[..., Module], arguments: Mapping[str, Any]
) -> Module:
    """Makes a module whose tensors have shapes, but no memory.

    Args:
        make: The class.
        arguments: Its arguments; see :func:`too_large`.
    """
    with torch.device('meta'):
        return make(**arguments)
