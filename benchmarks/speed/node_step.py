"""A training step of a node network, a mixture beside one network.

    python -m benchmarks.speed.node_step --root $GMOE_DATA_ROOT \\
        --json benchmarks/results/node_step.json

The whole graph in a step: forward, loss, backward, Adam. The single network
is that of this package, and the same with PyG's convolutions as they come: on
indices of edges, and on a sparse matrix, which PyG takes in their place. The
mixtures have two of *n* experts a node, whose size makes the products of two
cost what the single one costs. Times are those of the processor, which others
that run at the time disturb less, in turns; memory is what the process holds
at its peak beyond what it held before the network was made.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch_geometric.data import Data
from torch_geometric.utils import to_torch_csr_tensor

from benchmarks.common.memory import (
    give_back_freed_memory,
    process_memory,
    reset_peak_memory,
)
from benchmarks.common.options import at_least_one, run
from benchmarks.speed.rows import chosen, write_rows
from gmoe.datasets import load_nodes
from gmoe.nn import NodeGNN, hidden_for_equal_cost

DATASETS = ('Computers', 'tolokers')
CONVS = ('gcn', 'sage')
#: The networks that the mixtures are compared with.
SINGLE, STOCK, SPARSE = 'single', 'stock', 'sparse'
PEERS = (SINGLE, STOCK, SPARSE)


class StockNodeGNN(NodeGNN):
    """The single network with PyG's own convolutions."""

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:  # type: ignore[override]
        """Predicts one row per node.

        Args:
            x: Node features.
            edges: Their indices, or the sparse matrix of them.
        """
        h = self.input(x)
        for conv, skip, norm in zip(self.convs, self.skips, self.norms):
            h = norm(conv(h, edges) + skip(h)).relu()
            h = functional.dropout(h, self.dropout, self.training)
        return self.head(h)


def make_step(
    data: Data,
    conv: str,
    kind: int | str,
    top_k: int,
    hidden_channels: int,
    num_layers: int,
) -> Callable[[], None]:
    """A training step of a new network.

    Args:
        data: The graph, with ``x``, ``edge_index`` and ``y``.
        conv: A convolution of :class:`~gmoe.nn.NodeGNN`.
        kind: Number of experts of a mixture, or one of :data:`PEERS`.
        top_k: Number of experts selected per node.
        hidden_channels: Size of the single network's hidden features.
        num_layers: Number of layers.
    """
    classes = data.y.view(-1).long()
    num_classes = int(classes.max()) + 1
    torch.manual_seed(0)
    edges = data.edge_index
    if isinstance(kind, str):
        network = NodeGNN if kind == SINGLE else StockNodeGNN
        model = network(
            data.num_features, num_classes, hidden_channels, num_layers, conv
        )
    else:
        model = NodeGNN(
            data.num_features,
            num_classes,
            hidden_for_equal_cost(hidden_channels, top_k),
            num_layers,
            conv,
            num_experts=kind,
            top_k=top_k,
        )
    if kind == SPARSE:
        edges = sparse_matrix(data)
    optimizer = torch.optim.Adam(model.parameters())

    def step() -> None:
        optimizer.zero_grad()
        out = model(data.x, edges)
        functional.cross_entropy(out, classes).backward()
        optimizer.step()

    return step


def sparse_matrix(data: Data) -> Tensor:
    """The edges as the sparse matrix that PyG's convolutions take: a row for
    the target of an edge.

    Args:
        data: The graph.
    """
    size = (data.num_nodes, data.num_nodes)
    with warnings.catch_warnings():  # A beta of PyTorch, as it says each time.
        warnings.simplefilter('ignore', UserWarning)
        return to_torch_csr_tensor(data.edge_index.flip(0), size=size)


def peak_megabytes(make: Callable[[], Callable[[], None]]) -> float | None:
    """The memory of two steps of a new network, where the system says.

    Args:
        make: Makes the network and its step.
    """
    give_back_freed_memory()
    before = process_memory('VmRSS')
    reset_peak_memory()
    step = make()
    step()
    step()
    peak = process_memory('VmHWM')
    if before is None or peak is None:
        return None
    return round((peak - before) / 1e6, 1)


def time_steps(
    steps: dict[int | str, Callable[[], None]], rounds: int
) -> dict[int | str, float]:
    """Milliseconds of the processor for a step, medians of turns.

    Args:
        steps: The steps by their names.
        rounds: How many turns each has.
    """
    times: dict[int | str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.process_time()
            step()
            times[name].append((time.process_time() - start) * 1e3)
    return {name: statistics.median(own) for name, own in times.items()}


def main(
    root: Path = Path('data'),
    only: list[str] | str | None = None,
    conv: list[str] | str | None = None,
    num_experts: list[int] | int | None = None,
    top_k: int = 2,
    hidden_channels: int = 128,
    num_layers: int = 3,
    rounds: int = 5,
    threads: int = 1,
    json: Path | None = None,
) -> None:
    """Times all networks.

    Args:
        root: The folder of the data sets.
        only: The data set or sets; all if not given.
        conv: The convolution or convolutions; all if not given.
        num_experts: The number or numbers of experts; 4, 8, 16, 32 and 64 if
            not given.
        top_k: Number of experts selected per node.
        hidden_channels: Size of the single network's hidden features.
        num_layers: Number of layers.
        rounds: How many turns each network has.
        threads: The number of threads.
        json: A file for the results.
    """
    sizes = {'hidden_channels': hidden_channels, 'num_layers': num_layers}
    at_least_one(top_k=top_k, rounds=rounds, threads=threads, **sizes)
    torch.set_num_threads(threads)
    if num_experts is None:
        num_experts = [4, 8, 16, 32, 64]
    counts = [num_experts] if isinstance(num_experts, int) else num_experts
    rows = []
    for dataset in chosen(only, DATASETS):
        data = load_nodes(dataset, root).data
        for name in chosen(conv, CONVS):
            makes = {
                kind: _maker(data, name, kind, top_k, sizes)
                for kind in (*PEERS, *counts)
            }
            for row in _compare(makes, rounds):
                rows.append({'dataset': dataset, 'conv': name, **row})
                print(', '.join(f'{k} {v}' for k, v in rows[-1].items()))
    write_rows(
        json, rows, top_k=top_k, rounds=rounds, threads=threads, **sizes
    )


def _maker(
    data: Data, conv: str, kind: int | str, top_k: int, sizes: dict[str, int]
) -> Callable[[], Callable[[], None]]:
    return lambda: make_step(data, conv, kind, top_k, **sizes)


def _compare(
    makes: dict[int | str, Callable[[], Callable[[], None]]], rounds: int
) -> list[dict[str, Any]]:
    memory = {kind: peak_megabytes(make) for kind, make in makes.items()}
    times = time_steps({kind: make() for kind, make in makes.items()}, rounds)
    rows = []
    for count in makes:
        if isinstance(count, str):
            continue
        row: dict[str, Any] = {'num_experts': count}
        for kind in (count, *PEERS):
            name = kind if isinstance(kind, str) else 'mixture'
            row[f'{name}_ms'] = round(times[kind], 1)
            row[f'{name}_mb'] = memory[kind]
        for kind in PEERS:
            row[f'times_as_long_as_{kind}'] = round(
                times[count] / times[kind], 2
            )
            row[f'times_the_memory_of_{kind}'] = _ratio(
                memory[count], memory[kind]
            )
        rows.append(row)
    return rows


def _ratio(value: float | None, other: float | None) -> float | None:
    return round(value / other, 2) if value and other else None


if __name__ == '__main__':
    run(main, as_positional=False)
