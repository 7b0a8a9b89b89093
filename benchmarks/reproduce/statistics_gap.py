"""Measures the gap between losses with batch and with running statistics.

    python -m benchmarks.reproduce.statistics_gap --root $GMOE_DATA_ROOT/ogb

Trains GMoE-GCN with both ways to combine the experts' outputs, and the single
GCN, and then computes the loss on the training split without dropout: with the
running statistics of batch normalisation or with those of each batch, with and
without the noise of the routers. Makes its table in
``docs/reproduction/combine.md``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import RichProgressBar
from torch import nn

from benchmarks.common import markdown
from benchmarks.common.options import run
from benchmarks.common.place import Place, is_default
from benchmarks.common.record import provenance, write_result
from gmoe.nn.norm import ExpertNorm
from gmoe.routing import Router
from gmoe.training import GraphPredictor, OGBMolDataModule

NAME = 'benchmarks.reproduce.statistics_gap'
_EXPERTS = {'num_experts': 8, 'num_experts_1hop': 4, 'top_k': 4}
MODELS: dict[str, dict[str, Any]] = {
    'GCN': {'hidden_channels': 300},
    **{
        f'GMoE-GCN, {combine}': {
            'hidden_channels': 150,
            'combine': combine,
            **_EXPERTS,
        }
        for combine in ('sum', 'mean')
    },
}

#: The ways to evaluate: statistics of each batch, noise of the routers.
WAYS = {
    'running statistics': (False, False),
    'running statistics, noise': (False, True),
    'batch statistics': (True, False),
    'batch statistics, noise': (True, True),
}


def main(
    root: Path = Path('data/ogb'),
    dataset: str = 'molesol',
    epochs: int = 40,
    seeds: int = 1,
    results: Path | None = None,
    docs: Path | None = None,
) -> None:
    """Trains, evaluates and writes the table.

    Args:
        root: The folder of the OGB datasets.
        dataset: The dataset, such as ``molesol``.
        epochs: The number of epochs.
        seeds: The number of seeds.
        results: The folder of the result file. (default: the committed
            ones for the default settings, one below ``runs`` for others)
        docs: The folder that holds ``reproduction/combine.md``. (default:
            the documentation for committed results, the folder of results
            for others)
    """
    good = is_default(main, locals())
    place = Place.choose('statistics_gap', good, results, docs)
    logging.getLogger('lightning.pytorch').setLevel(logging.ERROR)
    rows = []
    for seed in range(seeds):
        for label, model in MODELS.items():
            rows.append(_measure(root, dataset, epochs, seed, label, model))
            print(rows[-1])
    result = {
        **provenance(),
        'dataset': dataset,
        'epochs': epochs,
        'rows': rows,
    }
    print(write_result(place.results, 'statistics_gap', result))
    place.write_part('reproduction/combine.md', NAME, table(result))


def table(result: dict[str, Any]) -> str:
    """The result as Markdown: the mean loss over seeds."""
    lines = []
    for label in MODELS:
        rows = [r['loss'] for r in result['rows'] if r['model'] == label]
        means = [sum(r[way] for r in rows) / len(rows) for way in WAYS]
        lines.append([label, *(f'{mean:.2f}' for mean in means)])
    seeds = len({row['seed'] for row in result['rows']})
    return (
        markdown.table(['training loss', *WAYS], lines)
        + f'\n\n{result["dataset"]}, {result["epochs"]} epochs, mean of '
        f'{seeds} seeds, no dropout.'
    )


def _measure(
    root: Path,
    dataset: str,
    epochs: int,
    seed: int,
    label: str,
    model: dict[str, Any],
) -> dict[str, Any]:
    seed_everything(seed, verbose=False)
    has_hop_2 = 'num_experts' in model
    data = OGBMolDataModule(
        f'ogbg-{dataset}',
        root,
        batch_size=32,
        two_hop='exact' if has_hop_2 else None,
        download=False,
    )
    data.prepare_data()
    data.setup('fit')
    module = GraphPredictor(
        dataset=data.name,
        task_type=data.task_type,
        metric=data.eval_metric,
        out_channels=data.num_tasks,
        **model,
    )
    trainer = Trainer(
        max_epochs=epochs,
        accelerator='cpu',
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        callbacks=[RichProgressBar()],
    )
    trainer.fit(module, datamodule=data)
    loss = {way: _loss(module, data, *modes) for way, modes in WAYS.items()}
    return {'model': label, 'seed': seed, 'loss': loss}


@torch.no_grad()
def _loss(
    module: GraphPredictor, data: OGBMolDataModule, batch: bool, noise: bool
) -> float:
    module.eval()
    total, count = 0.0, 0
    norms = _training(module, (nn.BatchNorm1d, ExpertNorm), batch)
    routers = _training(module, (Router,), noise)
    with norms, routers:
        for graphs in data.train_dataloader():
            graphs = data.on_after_batch_transfer(graphs, 0)
            out, _ = module(graphs)
            loss = float(module.task_loss(out, graphs.y))
            total += loss * graphs.num_graphs
            count += graphs.num_graphs
    return round(total / count, 4)


@contextmanager
def _training(
    module: nn.Module, kinds: tuple[type[nn.Module], ...], mode: bool
) -> Iterator[None]:
    # The running statistics are to stay as they are.
    found = [part for part in module.modules() if isinstance(part, kinds)]
    kept = {name: value.clone() for name, value in module.named_buffers()}
    for part in found:
        part.train(mode)
    yield
    for part in found:
        part.eval()
    for name, value in module.named_buffers():
        value.copy_(kept[name])


if __name__ == '__main__':
    run(main)
