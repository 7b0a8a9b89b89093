"""How long an epoch on a large graph takes in mini-batches, and how much
memory.

    python -m benchmarks.speed.scale --json benchmarks/results/scale.json

Random graphs of communities, with ten edges for each node: four of five edges
stay within a community of about a thousand nodes. They are cut into parts, and
a mixture of SAGE experts, half of them hop-2, is trained for an epoch on one
part after the other and then validated by parts. Seconds are those of the
clock and of the processor; others that run at the time disturb the latter
less. Memory is the peak of the whole process, with the graph and the
libraries.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from torch import Tensor
from torch_geometric.data import Data

from benchmarks.common.memory import process_memory, reset_peak_memory
from benchmarks.common.options import at_least_one, run
from benchmarks.speed.rows import write_rows
from gmoe.datasets import NodeGraph, NodeInfo
from gmoe.datasets.nodes.partition import share_between
from gmoe.training import NodeDataModule, NodePredictor
from gmoe.training.task import MULTICLASS

NUM_CLASSES, NUM_FEATURES = 10, 32
EDGES_PER_NODE, COMMUNITY, SHARE_INSIDE = 10, 1000, 0.8


class Communities(NodeDataModule):
    """A random graph of communities, whose classes are those of its nodes.

    Args:
        num_nodes: The number of nodes.
        **kwargs: Arguments of :class:`~gmoe.training.NodeDataModule`.
    """

    def __init__(self, num_nodes: int, **kwargs: Any) -> None:
        super().__init__('communities', **kwargs)
        self.num_nodes = num_nodes

    def load(self) -> NodeGraph:
        """Makes the graph, the same one each time."""
        generator = torch.Generator().manual_seed(0)
        size, count = self.num_nodes, max(1, self.num_nodes // COMMUNITY)
        community = torch.randperm(size, generator=generator) % count
        y = community % NUM_CLASSES
        x = torch.randn(size, NUM_FEATURES, generator=generator)
        x[torch.arange(size), y] += 1
        part = torch.rand(size, generator=generator)
        data = Data(
            x=x,
            y=y,
            edge_index=_edges(community, count, generator),
            train_mask=part < 0.6,
            val_mask=(part >= 0.6) & (part < 0.8),
            test_mask=part >= 0.8,
        )
        info = NodeInfo('communities', MULTICLASS, 'accuracy', '', '')
        return NodeGraph(data, info, tuple(map(str, range(NUM_CLASSES))), ())


def _edges(
    community: Tensor, count: int, generator: torch.Generator
) -> Tensor:
    size = len(community)
    pairs = EDGES_PER_NODE * size // 2
    source = torch.randint(size, (pairs,), generator=generator)
    target = torch.randint(size, (pairs,), generator=generator)
    members = community.argsort()
    number = torch.bincount(community, minlength=count)
    first = number.cumsum(0) - number
    own = community[source]
    inside = members[first[own] + target % number[own]]
    stays = torch.rand(pairs, generator=generator) < SHARE_INSIDE
    ends = torch.stack([source, torch.where(stays, inside, target)])
    return torch.cat([ends, ends.flip(0)], dim=1)


class Clock(Callback):
    """Seconds of the training and of the validation of an epoch."""

    def __init__(self) -> None:
        self.at: dict[str, tuple[float, float]] = {}

    def on_train_start(self, *args: Any) -> None:
        self.at['start'] = now()

    def on_validation_start(self, *args: Any) -> None:
        self.at['trained'] = now()

    def on_validation_end(self, *args: Any) -> None:
        self.at['validated'] = now()


def now() -> tuple[float, float]:
    """The clock, and the processor's time of this process."""
    return time.perf_counter(), time.process_time()


def seconds(
    name: str, start: tuple[float, float], end: tuple[float, float]
) -> dict[str, float]:
    """The seconds between two times, by the clock and by the processor.

    Args:
        name: What they are of.
        start: The first, of :func:`now`.
        end: The second.
    """
    return {
        f'{name}_s': round(end[0] - start[0], 1),
        f'{name}_cpu_s': round(end[1] - start[1], 1),
    }


def train(
    num_nodes: int, part_size: int, channels: int, max_hop2_neighbors: int
) -> dict[str, Any]:
    """Cuts a graph into parts and trains on them for an epoch.

    Args:
        num_nodes: The number of nodes.
        part_size: The nodes of a part.
        channels: Size of the hidden features.
        max_hop2_neighbors: The most hop-2 neighbours of a node in training.
    """
    reset_peak_memory()
    data = Communities(
        num_nodes,
        batch='parts',
        num_parts=max(1, num_nodes // part_size),
        two_hop='exact',
        max_hop2_neighbors=max_hop2_neighbors,
        full_evaluation=False,
    )
    data.setup()
    start = now()
    parts = data.loaders.parts
    cut = seconds('cut', start, now())
    model = NodePredictor(
        in_channels=NUM_FEATURES,
        out_channels=NUM_CLASSES,
        hidden_channels=channels,
        num_layers=3,
        num_experts=4,
        num_experts_1hop=2,
        top_k=2,
    )
    clock = Clock()
    trainer = Trainer(
        max_epochs=1,
        accelerator='cpu',
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[clock],
    )
    trainer.fit(model, datamodule=data)
    edges = data.graph.data.edge_index
    return {
        'num_nodes': num_nodes,
        'num_edges': edges.size(1),
        'num_parts': parts.num_parts,
        'share_between_parts': round(share_between(edges, parts.part), 3),
        **cut,
        **seconds('epoch', clock.at['start'], clock.at['trained']),
        **seconds('validation', clock.at['trained'], clock.at['validated']),
        'accuracy': round(float(trainer.callback_metrics['val/accuracy']), 3),
        'peak_gb': round((process_memory('VmHWM') or 0) / 1e9, 2),
    }


def main(
    num_nodes: list[int] | int | None = None,
    part_size: int = 5000,
    channels: int = 64,
    max_hop2_neighbors: int = 16,
    threads: int = 2,
    json: Path | None = None,
) -> None:
    """Trains on a graph of each size.

    Args:
        num_nodes: The number or numbers of nodes; 50,000 and a million if not
            given.
        part_size: The nodes of a part.
        channels: Size of the hidden features.
        max_hop2_neighbors: The most hop-2 neighbours of a node in training.
        threads: The number of threads.
        json: A file for the results.
    """
    at_least_one(part_size=part_size, channels=channels, threads=threads)
    torch.set_num_threads(threads)
    if num_nodes is None:
        num_nodes = [50_000, 1_000_000]
    rows = []
    for size in [num_nodes] if isinstance(num_nodes, int) else num_nodes:
        at_least_one(num_nodes=size)
        seed_everything(0, verbose=False)
        rows.append(train(size, part_size, channels, max_hop2_neighbors))
        print(', '.join(f'{k} {v}' for k, v in rows[-1].items()), flush=True)
    write_rows(
        json,
        rows,
        part_size=part_size,
        channels=channels,
        max_hop2_neighbors=max_hop2_neighbors,
        threads=threads,
    )


if __name__ == '__main__':
    run(main, as_positional=False)
