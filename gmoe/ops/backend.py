"""Whether the fused ops are there, and a switch to leave them aside."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

#: The most experts that the gate's ops for CUDA serve.
MAX_CUDA_EXPERTS = 256

_enabled = True

# What the binary must have.
_OPS = (
    'expert_mlp',
    'expert_norm',
    'gcn_experts',
    'group_by_expert',
    'grouped_linear',
    'noisy_topk',
    'norm_combine',
    'prefers_onednn',
    'relu_dropout',
    'routed_message',
    'routed_mlp',
    'two_hop',
)

# What the binary for CUDA must have.
_CUDA_OPS = (
    'expert_norm',
    'group_by_expert',
    'grouped_linear',
    'noisy_topk',
    'norm_combine',
    'relu_dropout',
    'routed_message',
    'two_hop',
)


def _load(name: str) -> bool:
    path = Path(__file__).resolve().parent.parent / name
    if not path.exists():
        return False
    try:
        torch.ops.load_library(str(path))
    except (OSError, RuntimeError) as error:
        warnings.warn(
            f"The fused ops in '{path}' cannot be loaded, so eager "
            f'PyTorch is used: {error}',
            stacklevel=2,
        )
        return False
    return True


def _load_whole(name: str, ops: tuple[str, ...], key: str) -> bool:
    if not _load(name):
        return False
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    missing = [
        op
        for op in ops
        if not hasattr(torch.ops.gmoe, op)
        or not has_kernel(f'gmoe::{op}', key)
    ]
    if missing:
        warnings.warn(
            f"The fused ops in '{name}' were built from other sources: "
            f"'{missing[0]}' is not among them, so eager PyTorch is used; "
            "build them again with 'pip install --no-build-isolation'",
            stacklevel=2,
        )
    return not missing


#: Whether the fused ops could be loaded.
AVAILABLE = _load_whole('_C.so', _OPS, 'CPU')

#: Whether those for CUDA could be loaded as well.
CUDA_AVAILABLE = (
    AVAILABLE
    and torch.cuda.is_available()
    and _load_whole('_C_cuda.so', _CUDA_OPS, 'CUDA')
)


def use_native(*tensors: torch.Tensor | None, cuda: bool = True) -> bool:
    """Whether a fused op serves these tensors.

    Args:
        *tensors: The arguments of the op; :obj:`None` counts for nothing.
        cuda: Whether there is such an op for CUDA.
    """
    if not (AVAILABLE and _enabled):
        return False
    devices = {t.device for t in tensors if t is not None}
    types = {device.type for device in devices}
    return types == {'cpu'} or (
        cuda and CUDA_AVAILABLE and types == {'cuda'} and len(devices) == 1
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
