"""Runs kernels with an injected fault, and prints what was found of each:
python -m tests.cuda.mutants FOLDER

The folder holds their libraries. It is a process of its own, so that
AddressSanitizer's runtime can be loaded before all else.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tests.cuda import emulated

SEEDS = 3

# Only one type of channels, so that less is compiled.
_FEW_TYPES = (
    '    case ScalarType::Double:\n'
    '      return f(double());\n'
    '    case ScalarType::Half:\n'
    '      return f(torch::headeronly::Half());\n'
    '    case ScalarType::BFloat16:\n'
    '      return f(torch::headeronly::BFloat16());\n'
)


class Mutant(NamedTuple):
    """An op with a fault.

    Args:
        source: The file that has the op.
        file: The file that is changed.
        change: A text of it, and what is put in its place.
        call: Calls the op of a namespace, and gives what it returns and what
            it must return.
        said: What the emulator must say of it.
    """

    source: str
    file: str
    change: tuple[str, str]
    call: Callable[[Any], tuple[Tensor, Tensor]]
    said: str

    def changes(self) -> dict[str, tuple[str, str]]:
        """What to change of the sources."""
        return {'inputs.h': (_FEW_TYPES, ''), self.file: self.change}


def _gather(ops: Any) -> tuple[Tensor, Tensor]:
    x, index = torch.rand(9, 5), torch.arange(29) % 9
    return ops.gather_rows(x, index), x[index]


def _add(ops: Any) -> tuple[Tensor, Tensor]:
    x, index = torch.rand(29, 5), torch.arange(29) % 9
    return ops.add_rows(x, index, 9), torch.zeros(9, 5).index_add(0, index, x)


def _linear(ops: Any) -> tuple[Tensor, Tensor]:
    x, weight = torch.rand(70, 40), torch.rand(1, 40, 70)
    ptr = torch.tensor([0, 70])
    return ops.grouped_linear(x, weight, None, ptr), x @ weight[0]


def _group(ops: Any) -> tuple[Tensor, Tensor]:
    expert, ptr = torch.arange(600) % 3, torch.arange(601)
    found = ops.group_by_expert(torch.rand(600), expert, ptr, 3)
    return found[4], expert.sort(stable=True)[1]


#: By name.
MUTANTS = {
    'none': Mutant(
        'gather_rows.cu', 'cuda/gather_rows.cu', ('r >= size', 'r >= size'),
        _gather, '',
    ),
    'index_off_by_one': Mutant(
        'gather_rows.cu', 'cuda/gather_rows.cu', ('r >= size', 'r > size'),
        _gather, 'that belong to no tensor',
    ),
    'wrong_stride': Mutant(
        'gather_rows.cu', 'cuda/gather_rows.cu',
        ('store(out + r * channels + d', 'store(out + r + d'),
        _add, 'another thread has written',
    ),
    'missing_barrier': Mutant(
        'grouped_linear.cu', 'cuda/tile.h',
        ('    __syncthreads();\n#pragma', '#pragma'), _linear,
        'shared memory that no thread has written',
    ),
    'missing_second_barrier': Mutant(
        'grouped_linear.cu', 'cuda/tile.h',
        ('    __syncthreads();\n  }\n}', '  }\n}'), _linear,
        'another thread has',
    ),
    'missing_meeting_of_a_warp': Mutant(
        'group_by_expert.cu', 'cuda/group_by_expert.cu',
        ('__syncwarp(); // All', '// All'), _group, 'another thread has',
    ),
}  # fmt: skip


def main(folder: str) -> None:
    found: dict[str, list[str]] = {}
    for name, mutant in MUTANTS.items():
        library = Path(folder) / f'{name}.so'
        emulated.load(library, name)
        order = ctypes.CDLL(str(library)).emulator_seed
        order.argtypes = [ctypes.c_uint64]
        found[name] = []
        for seed in range(SEEDS):
            order(seed)
            try:
                result, expected = mutant.call(getattr(torch.ops, name))
                right = torch.allclose(result, expected)
                found[name].append('' if right else 'the result differs')
            except RuntimeError as error:
                found[name].append(str(error))
    print(json.dumps(found))


if __name__ == '__main__':
    main(sys.argv[1])
