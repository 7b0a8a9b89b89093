"""Helpers that the declarations of several ops share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def refuse_double_backward(name: str) -> Any:
    """An autograd formula for an op that has none."""

    def backward(ctx: Any, *grads: Any) -> None:
        raise NotImplementedError(
            f"'gmoe::{name}' has no second derivative; gmoe.ops.eager_ops() "
            'gives one'
        )

    return backward


def fake_like(*positions: int) -> Callable[..., Any]:
    """The fake kernel of an op whose outputs are like some of its arguments.

    Args:
        *positions: For each output, the position of the argument that has its
            shape and its type.
    """

    def fake(*args: Any) -> Any:
        outputs = tuple(torch.empty_like(args[at]) for at in positions)
        return outputs if len(outputs) > 1 else outputs[0]

    return fake
