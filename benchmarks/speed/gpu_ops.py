"""Every op on a GPU, and a training step: what must hold there.

    python -m benchmarks.speed.gpu_ops once
    python -m benchmarks.speed.gpu_ops capture
    python -m benchmarks.speed.gpu_ops determinism --runs 100

``once`` calls every op and compares it with the op on the CPU, for tools that
look on from outside. ``capture`` replays each op as a CUDA graph.
``determinism`` asks for the same bits in every run, of each op and of a
training step of a mixture of GCN and of GIN experts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from benchmarks.common.options import at_least_one, run
from benchmarks.reliability.op_calls import Call, Draw, record
from gmoe.nn import GNN
from gmoe.ops import two_hop_edges
from gmoe.ops.backend import declared_ops, registered_ops
from gmoe.routing import balance_loss

#: The ops that wait for the device, so that no graph can hold them.
WAITING = {'two_hop'}

#: The largest difference from the CPU, as a share of the largest element.
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9, torch.bfloat16: 2e-2}


def calls_on(device: str, seeds: int) -> list[Call]:
    """Calls of every op that there is for a device.

    Args:
        device: Where the arguments are.
        seeds: How many sets of random arguments there are.

    Raises:
        RuntimeError: If an op is missing there, or no call reaches it.
    """
    key = device.partition(':')[0].upper()
    names = declared_ops(key)
    missing = names - registered_ops(key)
    if missing:
        raise RuntimeError(
            f"'device' must have all fused ops, got '{device}' without "
            f'{sorted(missing)}'
        )
    found = []
    for seed in range(seeds):
        recorded = [*record(seed), *rows_by_index(seed)]
        found += [call for call in recorded if call.op in names]
    unreached = names - {call.op for call in found}
    if unreached:
        raise RuntimeError(
            f"'record' must reach every op, got none of {sorted(unreached)}"
        )
    return [_moved(call, device) for call in found]


def _moved(call: Call, device: str) -> Call:
    arguments = torch.utils._pytree.tree_map_only(
        Tensor, lambda t: t.to(device), call.arguments
    )
    return Call(call.op, arguments)


def rows_by_index(seed: int) -> list[Call]:
    """Calls of the ops for CUDA alone, which no call on the CPU makes.

    Args:
        seed: The seed of the random arguments.
    """
    draw = Draw(seed)
    x = draw.rows(40, 24, dtype=torch.float32).detach()
    index = draw.ids(40, 9)
    return [Call('gather_rows', (x, index)), Call('add_rows', (x, index, 9))]


def outputs(call: Call) -> list[Tensor]:
    """The tensors among the results of a call.

    Args:
        call: The call.
    """
    return [out for out in call.results() if isinstance(out, Tensor)]


def same_bits(results: Sequence[Tensor], expected: Sequence[Tensor]) -> bool:
    """Whether tensors are equal bit by bit, NaN and signs of zero included.

    Args:
        results: Some tensors.
        expected: As many others.
    """
    pairs = list(zip(results, expected, strict=True))
    return all(a.shape == b.shape for a, b in pairs) and all(
        torch.equal(
            a.detach().contiguous().view(-1).view(torch.uint8),
            b.detach().contiguous().view(-1).view(torch.uint8),
        )
        for a, b in pairs
    )


def once(device: str, seeds: int) -> int:
    """Calls every op, and compares it with the op on the CPU where there is
    one. Returns the number of calls.

    Args:
        device: Where to run.
        seeds: How many sets of random arguments there are.

    Raises:
        RuntimeError: If results differ.
    """
    calls = calls_on(device, seeds)
    on_cpu = registered_ops('CPU')
    for call in calls:
        results = outputs(call)
        if call.op in on_cpu:
            for value, target in zip(results, outputs(_moved(call, 'cpu'))):
                _assert_near(call.op, value.cpu(), target)
    return len(calls)


def _assert_near(op: str, value: Tensor, target: Tensor) -> None:
    tolerance = TOLERANCE.get(target.dtype, 0.0)
    largest = float(target.abs().max()) if target.numel() else 0.0
    try:
        torch.testing.assert_close(
            value,
            target,
            rtol=tolerance,
            atol=tolerance * largest,
            equal_nan=True,
        )
    except AssertionError as error:
        raise RuntimeError(f"'{op}' differs from the CPU: {error}") from error


def capture(device: str, seeds: int) -> int:
    """Captures each op that does not wait for the device, and compares a
    replay with a plain call. Returns the number of calls.

    Args:
        device: A GPU.
        seeds: How many sets of random arguments there are.

    Raises:
        RuntimeError: If the bits differ.
    """
    calls = [
        call for call in calls_on(device, seeds) if call.op not in WAITING
    ]
    for call in calls:
        expected = [out.clone() for out in outputs(call)]
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = outputs(call)
        for out in captured:
            out.zero_()
        graph.replay()
        if not same_bits(captured, expected):
            raise RuntimeError(
                f"'{call.op}' must give the same bits in a graph"
            )
    return len(calls)


def determinism(device: str, seeds: int, runs: int) -> int:
    """Compares the bits of all runs of each op, and of a training step.
    Returns the number of ops and steps.

    Args:
        device: Where to run.
        seeds: How many sets of random arguments there are.
        runs: How often each is run.

    Raises:
        RuntimeError: If the bits differ.
    """
    named: list[tuple[str, Callable[[], Sequence[Tensor]]]] = [
        (call.op, partial(outputs, call)) for call in calls_on(device, seeds)
    ]
    named += [(conv, training_step(conv, device)) for conv in ('gcn', 'gin')]
    for name, call in named:
        expected = [out.clone() for out in call()]
        for number in range(1, runs):
            if not same_bits(call(), expected):
                raise RuntimeError(
                    f"'{name}' must give the same bits in all runs, got "
                    f'others in run {number + 1} of {runs}'
                )
    return len(named)


def training_step(
    conv: str, device: str, num_nodes: int = 800
) -> Callable[[], list[Tensor]]:
    """A function that makes one training step, the same each time, and
    returns the loss and all gradients.

    Args:
        conv: ``'gcn'`` or ``'gin'``.
        device: Where to run.
        num_nodes: The size of the random graph.
    """
    torch.manual_seed(0)
    model = GNN(
        conv=conv,
        hidden_channels=150,
        num_layers=2,
        num_experts=8,
        num_experts_1hop=4,
        top_k=4,
    ).to(device)
    draw = Draw(0)
    batch = draw.ids(num_nodes, 32).sort()[0].to(device)
    x = draw.ids(num_nodes * 9, 2).view(-1, 9).to(device)
    size = 2 * num_nodes
    edge_index = draw.ids(2 * size, num_nodes).view(2, size).to(device)
    edge_attr = draw.ids(size * 3, 2).view(size, 3).to(device)
    hop2 = two_hop_edges(edge_index, edge_attr, num_nodes)

    def step() -> list[Tensor]:
        torch.manual_seed(0)
        out, routings = model(
            *(x, edge_index, edge_attr, batch, *hop2),
            batch_size=32,
            return_routing=True,
        )
        loss = nn.functional.softplus(out).mean() + balance_loss(routings)
        grads = torch.autograd.grad(
            loss, list(model.parameters()), allow_unused=True
        )
        return [loss, *(grad for grad in grads if grad is not None)]

    return step


def main(
    what: Literal['once', 'capture', 'determinism'],
    device: str = 'cuda',
    seeds: int = 3,
    runs: int = 100,
) -> None:
    """Runs one of the checks.

    Args:
        what: Which one.
        device: Where to run.
        seeds: How many sets of random arguments there are.
        runs: How often each op is run to compare the bits.
    """
    at_least_one(seeds=seeds, runs=runs)
    checks: dict[str, Callable[[], Any]] = {
        'once': lambda: once(device, seeds),
        'capture': lambda: capture(device, seeds),
        'determinism': lambda: determinism(device, seeds, runs),
    }
    print(f'{what}: {checks[what]()} calls hold')


if __name__ == '__main__':
    run(main)
