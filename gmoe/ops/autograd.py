"""What the ops' formulas of derivatives have in common."""

from __future__ import annotations

from typing import Any


def refuse_double_backward(name: str) -> Any:
    """An autograd formula for ops that have none.

    Args:
        name: The op.
    """

    def backward(ctx: Any, *grads: Any) -> None:
        raise NotImplementedError(
            f"'gmoe::{name}' has no second derivative; gmoe.ops.eager_ops() "
            'gives one'
        )

    return backward
