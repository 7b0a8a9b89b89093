"""Test inputs on each device, and what holds on all of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


def move(value: Any, device: torch.device | str) -> Any:
    """A nested argument with its tensors on a device, as leaves."""
    if isinstance(value, Tensor):
        moved = value.detach().to(device)
        return moved.requires_grad_(value.requires_grad)
    if isinstance(value, dict):
        return {key: move(item, device) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(move(item, device) for item in value)
    return value


def assert_near(
    results: Sequence[Tensor],
    expected: Sequence[Tensor],
    tolerance: float,
    floor: float = 0.0,
) -> None:
    """Compares tensors of any device and type, with a tolerance relative to
    the largest element, and at least the floor."""
    assert len(results) == len(expected)
    for value, target in zip(results, expected):
        value, target = value.detach().cpu(), target.detach().cpu()
        largest = float(target.abs().max()) if target.numel() > 0 else 0.0
        torch.testing.assert_close(
            value.double(),
            target.double(),
            rtol=tolerance,
            atol=max(tolerance * largest, floor),
        )


def assert_same_bits(
    results: Sequence[Tensor], expected: Sequence[Tensor]
) -> None:
    """Compares tensors of any device, without a tolerance."""
    assert len(results) == len(expected)
    for value, target in zip(results, expected):
        assert value.dtype == target.dtype
        assert torch.equal(value.cpu(), target.cpu())


@contextmanager
def never_waits(device: torch.device) -> Iterator[None]:
    """Raises an error if something inside waits for a GPU."""
    if device.type != 'cuda':
        yield
        return
    torch.cuda.set_sync_debug_mode('error')
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode('default')


def capture(function: Callable[[], Any]) -> tuple[torch.cuda.CUDAGraph, Any]:
    """Captures the kernels of a function, after three calls of it.

    Returns:
        The graph, and what the function returned: a replay writes there.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            function()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = function()
    return graph, captured
