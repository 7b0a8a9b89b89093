"""Whether the fused ops are there, and a switch to leave them aside."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from threading import Lock, _DummyThread, get_ident
from threading import enumerate as enumerate_threads
from typing import Any

import torch

from gmoe.ops.autograd import refuse_double_backward

#: The most experts that the gate's ops for CUDA serve.
MAX_CUDA_EXPERTS = 256

#: Whether the fused ops could be loaded.
AVAILABLE = False

#: Whether those for CUDA could be loaded as well.
CUDA_AVAILABLE = False


# By name: the dispatch keys of an op's kernels, and what registers the rest.
_declared: dict[str, tuple[tuple[str, ...], Callable[[], None]]] = {}


def declare_op(
    name: str,
    fake: Callable[..., Any],
    backward: Callable[..., Any] | None = None,
    setup_context: Callable[..., Any] | None = None,
    keys: tuple[str, ...] = ('CPU', 'CUDA'),
) -> None:
    """Says what there is of a fused op beside its kernels. The binaries must
    have all ops that are declared.

    Args:
        name: The op.
        fake: Gives outputs without values: to a compiler, and for tensors
            without values.
        backward: Its derivative. That of a ``*_backward`` op is refused
            unless it is given.
        setup_context: What the derivative keeps.
        keys: The dispatch keys that it has kernels for.
    """
    if backward is None and name.endswith('_backward'):
        backward = refuse_double_backward(name.removesuffix('_backward'))
    register = partial(_register, name, fake, backward, setup_context)
    _declared[name] = keys, register


def declared_ops(key: str) -> set[str]:
    """The names of the ops that a binary must have.

    Args:
        key: Its dispatch key, ``'CPU'`` or ``'CUDA'``.
    """
    return {name for name, (keys, _) in _declared.items() if key in keys}


def registered_ops(key: str | None = None) -> set[str]:
    """The names of the ops that are registered, ``'two_hop'`` and so on.

    Args:
        key: Those that have a kernel for this dispatch key only, ``'CPU'`` or
            ``'CUDA'``.
    """
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    return {
        name.removeprefix('gmoe::')
        for name in torch._C._dispatch_get_all_op_names()
        if name.startswith('gmoe::') and (not key or has_kernel(name, key))
    }


def _load(name: str) -> bool:
    folder = os.environ.get('GMOE_LIBRARIES')
    path = Path(folder or Path(__file__).resolve().parent.parent) / name
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


def _load_whole(name: str, key: str) -> bool:
    if not _load(name):
        return False
    missing = sorted(declared_ops(key) - registered_ops(key))
    if missing:
        warnings.warn(
            f"The fused ops in '{name}' were built from other sources: "
            f"'{missing[0]}' is not among them, so eager PyTorch is used; "
            "build them again with 'pip install --no-build-isolation'",
            stacklevel=2,
        )
    return not missing


def load() -> tuple[bool, bool]:
    """Loads the binaries, when all ops are declared.

    Returns:
        :data:`AVAILABLE` and :data:`CUDA_AVAILABLE`.
    """
    global AVAILABLE, CUDA_AVAILABLE
    AVAILABLE = _load_whole('_C.so', 'CPU')
    if AVAILABLE:
        for _, register in _declared.values():
            register()
        CUDA_AVAILABLE = torch.cuda.is_available() and _load_whole(
            '_C_cuda.so', 'CUDA'
        )
    return AVAILABLE, CUDA_AVAILABLE


def _register(
    name: str,
    fake: Callable[..., Any],
    backward: Callable[..., Any] | None,
    setup_context: Callable[..., Any] | None,
) -> None:
    schema = getattr(torch.ops.gmoe, name).default._schema
    names = [argument.name for argument in schema.arguments]

    def checked(*args: Any) -> Any:
        # All tensors must be on one device.
        device = None
        for argument, value in zip(names, args):
            for tensor in value if isinstance(value, list) else [value]:
                if not isinstance(tensor, torch.Tensor):
                    continue
                device = device or tensor.device
                if tensor.device != device:
                    raise RuntimeError(
                        f"'{argument}' must be on the device of the other "
                        f'arguments, {device}, got {tensor.device}'
                    )
        return fake(*args)

    torch.library.register_fake(f'gmoe::{name}', checked)
    if backward is not None:
        torch.library.register_autograd(
            f'gmoe::{name}', backward, setup_context=setup_context
        )


# How many contexts of eager_ops are open here, and in all threads.
_here: ContextVar[int] = ContextVar('gmoe.ops.eager_ops', default=0)
_everywhere = 0
_lock = Lock()


def _is_eager() -> bool:
    # Threads of PyTorch's own, which run the backward pass on CUDA, have no
    # context: to them, one that is open anywhere is theirs.
    # So it is to a compiler, which cannot look at contexts.
    if _everywhere == 0 or torch.compiler.is_compiling():
        return _everywhere > 0
    if _here.get() > 0:
        return True
    own = [t for t in enumerate_threads() if t.ident == get_ident()]
    return not own or isinstance(own[0], _DummyThread)


def use_native(*tensors: torch.Tensor | None, cuda: bool = True) -> bool:
    """Whether a fused op serves these tensors.

    Args:
        *tensors: The arguments of the op; :obj:`None` counts for nothing.
        cuda: Whether there is such an op for CUDA.
    """
    if not AVAILABLE or _is_eager():
        return False
    devices = {t.device for t in tensors if t is not None}
    types = {device.type for device in devices}
    return types == {'cpu'} or (
        cuda and CUDA_AVAILABLE and types == {'cuda'} and len(devices) == 1
    )


def _count(step: int) -> None:
    global _everywhere
    with _lock:
        _everywhere += step
    _here.set(_here.get() + step)


@contextmanager
def eager_ops() -> Iterator[None]:
    """Uses the eager version of every op while the context is open, in the
    thread or task that opens it. Contexts may be opened and closed in any
    order: the fused ops are back when all are closed."""
    _count(1)
    try:
        yield
    finally:
        _count(-1)
