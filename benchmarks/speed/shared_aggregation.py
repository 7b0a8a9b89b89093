"""Experts that share their aggregation, beside a loop over experts.

    python -m benchmarks.speed.shared_aggregation \\
        --root $GMOE_DATA_ROOT/amazon \\
        --json benchmarks/results/shared_aggregation.json

One layer on the graph Amazon Computers, forward and backward, with a router
that selects two experts: with one aggregation for all experts, with each
convolution by itself, and the single convolution of PyG without a router. The
times are those of the processor, which others that run at the time disturb
less. Outputs and gradients of both layers are compared before.
"""

from __future__ import annotations

import copy
import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.datasets import Amazon
from torch_geometric.nn import GCNConv, SAGEConv

from benchmarks.common.options import at_least_one, run
from benchmarks.speed.rows import chosen, write_rows
from gmoe.nn import GMoEConv, ModuleExperts
from gmoe.routing import Router

#: The convolutions by name.
KINDS = {'gcn': GCNConv, 'sage': SAGEConv}


def load_edges(root: Path) -> tuple[Tensor, int]:
    """The edges of Amazon Computers, and the number of its nodes.

    Args:
        root: The folder of the data set.
    """
    data = Amazon(str(root), 'Computers')[0]
    return data.edge_index, data.num_nodes


def make_layers(
    kind: str, num_experts: int, top_k: int, channels: int
) -> dict[str, nn.Module]:
    """The layer both ways with the same weights, and the single convolution.

    Args:
        kind: A key of :data:`KINDS`.
        num_experts: Number of experts.
        top_k: Number of experts selected per node.
        channels: Size of the features.
    """
    modules = [KINDS[kind](channels, channels) for _ in range(num_experts)]
    bank = ModuleExperts(modules, share_aggregation=True)
    router = Router(channels, num_experts, top_k, noise=False)
    nn.init.normal_(router.score_gate.weight)
    shared = GMoEConv(bank, router=router, norm=None)
    loop = copy.deepcopy(shared)
    loop.experts.share_aggregation = False
    return {
        'shared': shared,
        'loop': loop,
        'single': copy.deepcopy(modules[0]),
    }


def time_layers(
    layers: dict[str, nn.Module], x: Tensor, edge_index: Tensor, rounds: int
) -> dict[str, float]:
    """Milliseconds of the processor for a forward and a backward pass, medians
    of turns.

    Args:
        layers: The layers.
        x: The features.
        edge_index: The edges.
        rounds: How many turns each layer has.

    Raises:
        RuntimeError: If outputs or gradients of both mixtures differ by more
            than a ten-thousandth of the largest.
    """
    calls = {
        name: _step(layer, x, edge_index) for name, layer in layers.items()
    }
    error = max(
        float((a - b).abs().max() / b.abs().max())
        for a, b in zip(calls['shared'](), calls['loop']())
    )
    if not error <= 1e-4:
        raise RuntimeError(f'the layers differ by {error:.1e}')
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.process_time()
            call()
            times[name].append((time.process_time() - start) * 1e3)
    ms = {name: statistics.median(own) for name, own in times.items()}
    return {
        **{f'{name}_ms': round(value, 2) for name, value in ms.items()},
        'times_faster_than_loop': round(ms['loop'] / ms['shared'], 2),
        'times_as_long_as_single': round(ms['shared'] / ms['single'], 2),
        'largest_relative_difference': error,
    }


def _step(
    layer: nn.Module, x: Tensor, edge_index: Tensor
) -> Callable[[], list[Tensor]]:
    leaf = x.detach().clone().requires_grad_()

    def call() -> list[Tensor]:
        layer.zero_grad()
        leaf.grad = None
        out = layer(leaf, edge_index)
        out.square().mean().backward()
        assert leaf.grad is not None
        return [out.detach(), leaf.grad]

    return call


def main(
    root: Path = Path('data/amazon'),
    only: list[str] | str | None = None,
    num_experts: list[int] | int | None = None,
    top_k: int = 2,
    channels: int = 64,
    rounds: int = 5,
    threads: int = 1,
    json: Path | None = None,
) -> None:
    """Times all layers.

    Args:
        root: The folder of the data set.
        only: The convolution or convolutions; all if not given.
        num_experts: The number or numbers of experts; 4, 8, 16, 32 and 64 if
            not given.
        top_k: Number of experts selected per node.
        channels: Size of the features.
        rounds: How many turns each layer has.
        threads: The number of threads.
        json: A file for the results.
    """
    at_least_one(rounds=rounds, threads=threads, channels=channels)
    torch.set_num_threads(threads)
    if num_experts is None:
        num_experts = [4, 8, 16, 32, 64]
    counts = [num_experts] if isinstance(num_experts, int) else num_experts
    edge_index, num_nodes = load_edges(root)
    rows = []
    for kind, count in itertools.product(chosen(only, KINDS), counts):
        torch.manual_seed(0)
        layers = make_layers(kind, count, top_k, channels)
        x = torch.randn(num_nodes, channels)
        row: dict[str, Any] = {'conv': kind, 'num_experts': count}
        row |= time_layers(layers, x, edge_index, rounds)
        rows.append(row)
        print(', '.join(f'{key} {value}' for key, value in row.items()))
    write_rows(
        json,
        rows,
        num_nodes=num_nodes,
        num_edges=edge_index.size(1),
        top_k=top_k,
        channels=channels,
        rounds=rounds,
        threads=threads,
    )


if __name__ == '__main__':
    run(main, as_positional=False)
