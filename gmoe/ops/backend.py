"""Whether the fused ops are there, and a switch to leave them aside."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

_enabled = True


def _load() -> bool:
    package = Path(__file__).resolve().parent.parent
    for path in sorted(package.glob('_C*.so')):
        try:
            torch.ops.load_library(str(path))
        except (OSError, RuntimeError) as error:
            warnings.warn(
                f"The fused ops in '{path}' cannot be loaded, so eager "
                f'PyTorch is used: {error}',
                stacklevel=2,
            )
        else:
            return True
    return False


#: Whether the fused ops could be loaded.
AVAILABLE = _load()


def use_native(*tensors: torch.Tensor | None) -> bool:
    """Whether the fused ops serve these tensors.

    Args:
        *tensors: The arguments of an op; :obj:`None` counts for nothing.
    """
    return (
        AVAILABLE
        and _enabled
        and all(t is None or t.device.type == 'cpu' for t in tensors)
    )


@contextmanager
def eager_ops() -> Iterator[None]:
    """Uses the eager version of every op while the context is open."""
    global _enabled
    before, _enabled = _enabled, False
    try:
        yield
    finally:
        _enabled = before
