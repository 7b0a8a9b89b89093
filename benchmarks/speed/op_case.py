"""One op on one batch, in several variants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gmoe.ops import eager_ops

#: Computes the results of an op: its output, or that and its gradients.
Call = Callable[[], list[Tensor]]


@dataclass(frozen=True)
class Case:
    """One op on one batch.

    Args:
        calls: The variants by name; :obj:`None` where one is not there.
        expected: The results of the eager version in float64.
        num_bytes: The fewest bytes that the op moves: each operand that is
            looked at is read once, each result written once.
    """

    calls: dict[str, Call | None]
    expected: list[Tensor]
    num_bytes: int


def make_call(
    function: Callable[[], Tensor],
    leaves: Sequence[Tensor] = (),
    output_grad: Tensor | None = None,
) -> Call:
    """Computes a function, and its gradients if that of its output is given.

    Args:
        function: Computes the output.
        leaves: What it is differentiated by.
        output_grad: The gradient of the output.
    """

    def call() -> list[Tensor]:
        if output_grad is None:
            with torch.no_grad():
                return [function()]
        out = function()
        return [out, *torch.autograd.grad(out, leaves, output_grad)]

    return call


def eagerly(function: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Has the ops in a function use their eager versions."""

    def call() -> Tensor:
        with eager_ops():
            return function()

    return call


def compiled(function: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """The eager version, compiled, for this case alone: what was compiled
    before for other shapes is forgotten.
    """
    torch.compiler.reset()
    return eagerly(torch.compile(function))


def check(name: str, results: Sequence[Tensor], case: Case) -> None:
    """Compares the results of a variant with those expected.

    Args:
        name: How the error message calls the variant.
        results: Its results.
        case: The case.

    Raises:
        RuntimeError: If they differ by more than float32 explains.
    """
    for out, expected in zip(results, case.expected, strict=True):
        out, expected = out.detach(), expected.detach()
        if out.shape != expected.shape:
            raise RuntimeError(
                f"'{name}' gives the shape {list(out.shape)} where "
                f'{list(expected.shape)} is right'
            )
        error = float((out - expected).abs().max())
        largest = float(expected.abs().max())
        if not error <= 1e-4 * largest:
            raise RuntimeError(
                f"'{name}' differs by {error:.1e} from the eager version in "
                f'float64, whose largest value is {largest:.1e}'
            )
