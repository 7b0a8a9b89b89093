"""The ops for CUDA, on tensors of the CPU."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch
from torch.library import Library

from gmoe.ops.backend import declared_ops, use_native

_kept: list[Library] = []  # A registration ends with its object.


def load(library: Path, namespace: str = 'gmoe_emulated') -> None:
    """Loads what :func:`tests.cuda.build.build` has made: the ops are then
    ``torch.ops.<namespace>.<name>``.

    Args:
        library: The library.
        namespace: That of the ops.
    """
    definitions = Library(namespace, 'FRAGMENT')
    for name in sorted(declared_ops('CUDA')):
        schema = getattr(torch.ops.gmoe, name).default._schema
        definitions.define(str(schema).removeprefix('gmoe::'))
    _kept.append(definitions)
    torch.ops.load_library(str(library))


def serve() -> None:
    """From now on, this process calls the emulated ops in place of those for
    the CPU, and what there is on the CPU alone is put together from others, as
    on CUDA."""
    own = Library('gmoe', 'IMPL')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # That kernels are replaced.
        for name in sorted(declared_ops('CUDA')):
            op = getattr(torch.ops.gmoe_emulated, name).default
            own.impl(name, op, 'CPU')
    _kept.append(own)
    for name, module in list(sys.modules.items()):
        if name.startswith('gmoe.') and hasattr(module, 'use_native'):
            module.use_native = as_on_cuda
    sys.modules['gmoe.ops.gather_rows']._on_cpu = lambda x: False


def as_on_cuda(*tensors: torch.Tensor | None, cuda: bool = True) -> bool:
    """What :func:`gmoe.ops.backend.use_native` says on CUDA."""
    return cuda and use_native(*tensors)
