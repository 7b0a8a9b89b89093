"""The main job on the embedded dataset: which experts for which hop?

    python -m benchmarks.hop_mixture

Trains, at equal cost, a GCN of two layers, and the same with a mixture as its
first layer: of hop-1 experts only, of hop-2 experts only, and of both, on
:class:`gmoe.datasets.HopMixture`. Ends with a table and a picture, and writes
both beside the numbers as JSON.
"""

from __future__ import annotations

import logging
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.common.curve import read_curve
from benchmarks.common.options import run
from benchmarks.common.record import provenance, write_result
from benchmarks.hop_mixture.plot import draw
from gmoe.nn import hidden_for_equal_cost
from gmoe.training import EpochSeed, GraphPredictor, HopMixtureDataModule

NUM_LAYERS, NUM_EXPERTS, TOP_K = 2, 4, 2
#: The number of hop-1 experts of each model; None for the single GCN.
MODELS = {
    'GCN': None,
    'GMoE, hop 1 only': NUM_EXPERTS,
    'GMoE, hop 2 only': 0,
    'GMoE, mixed': NUM_EXPERTS // 2,
}


def make_model(
    data: HopMixtureDataModule, num_experts_1hop: int | None, hidden: int
) -> GraphPredictor:
    """A single GCN, or a mixture at its cost.

    Args:
        data: The data.
        num_experts_1hop: Number of hop-1 experts, None for a single GCN.
        hidden: Hidden size of the single GCN.
    """
    mixture: dict[str, Any] = {'hidden_channels': hidden}
    if num_experts_1hop is not None:
        # One layer with k experts and the others with one.
        mean_experts = (NUM_LAYERS - 1 + TOP_K) / NUM_LAYERS
        mixture = {
            'hidden_channels': hidden_for_equal_cost(hidden, mean_experts),
            'moe_layers': [0],
            'num_experts': NUM_EXPERTS,
            'num_experts_1hop': num_experts_1hop,
            'top_k': TOP_K,
        }
    return GraphPredictor(
        dataset=data.name,
        metric=data.eval_metric,
        task_type=data.task_type,
        out_channels=data.num_tasks,
        node_dims=data.node_dims,
        edge_dims=data.edge_dims,
        num_layers=NUM_LAYERS,
        dropout=0.0,
        learning_rate=5e-3,
        **mixture,
    )


@torch.no_grad()
def routing_by_hop(
    model: GraphPredictor, data: HopMixtureDataModule
) -> dict[str, float]:
    """The share of nodes that give more than half of their weight to the
    right hop, of all nodes and of the query nodes; and the mean weight that
    query nodes give to hop 1, by the hop that is right for them.

    Args:
        model: A trained mixture.
        data: The data, whose test split is looked at.
    """
    model.eval()
    gates, hop, query = [], [], []
    for batch in data.test_dataloader():
        batch = data.on_after_batch_transfer(batch, 0)
        _, (routing,) = model(batch)
        gates.append(routing.gates)
        hop.append(batch.hop)
        query.append(batch.x[:, 1] == 1)
    needs_hop1, is_query = torch.cat(hop) == 1, torch.cat(query)
    weight = torch.cat(gates)[:, : model.gnn.num_experts_1hop].sum(dim=1)
    right = torch.where(needs_hop1, weight, 1 - weight) > 0.5
    return {
        'right_all_nodes': float(right.float().mean()),
        'right_query_nodes': float(right[is_query].float().mean()),
        'hop1_weight_where_hop1_is_right': float(
            weight[is_query & needs_hop1].mean()
        ),
        'hop1_weight_where_hop2_is_right': float(
            weight[is_query & ~needs_hop1].mean()
        ),
    }


def train(
    name: str,
    num_experts_1hop: int | None,
    hidden: int,
    num_graphs: int,
    max_epochs: int,
    seed: int,
    folder: Path,
) -> dict[str, Any]:
    """Trains one model and scores its best epoch on the test split."""
    seed_everything(seed, verbose=False)
    data = HopMixtureDataModule(
        num_graphs=num_graphs, batch_size=64, eval_batch_size=500
    )
    model = make_model(data, num_experts_1hop, hidden)
    checkpoint = ModelCheckpoint(
        folder / name, monitor=data.monitor, mode=data.monitor_mode
    )
    logger = CSVLogger(folder / name, name='', version='')
    trainer = Trainer(
        accelerator='cpu',
        max_epochs=max_epochs,
        logger=logger,
        callbacks=[checkpoint, EpochSeed()],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1000,
    )
    start = time.perf_counter()
    trainer.fit(model, data)
    seconds = time.perf_counter() - start
    test = trainer.test(
        model, data, ckpt_path='best', weights_only=True, verbose=False
    )
    mixture = bool(model.gnn.moe_layers)
    return {
        'name': name,
        'test_accuracy': test[0][f'test/{data.eval_metric}'],
        'num_parameters': sum(p.numel() for p in model.parameters()),
        'hidden_channels': model.gnn.hidden_channels,
        'seconds': round(seconds, 2),
        'routing': routing_by_hop(model, data) if mixture else None,
        'epochs': read_curve(
            [Path(logger.log_dir) / 'metrics.csv'], data.eval_metric
        ),
    }


def show(results: list[dict[str, Any]]) -> None:
    """Prints the results as a table."""
    table = Table(title='HopMixture, equal cost')
    table.add_column('model')
    for column in (
        'test accuracy',
        'parameters',
        'seconds',
        'right hop, query nodes',
        'right hop, all nodes',
    ):
        table.add_column(column, justify='right')
    for result in results:
        routing = result['routing']
        table.add_row(
            result['name'],
            f'{result["test_accuracy"]:.3f}',
            f'{result["num_parameters"]:,}',
            f'{result["seconds"]:.1f}',
            *(
                f'{routing[f"right_{which}_nodes"]:.0%}' if routing else '-'
                for which in ('query', 'all')
            ),
        )
    console = Console()
    console.print(table)
    console.print(
        'right hop: nodes that give most of their weight to experts of the '
        'hop that their graph asks for; only query nodes decide on the label',
        style='dim',
    )


def main(
    hidden: int = 64,
    num_graphs: int = 4000,
    max_epochs: int = 10,
    seed: int = 0,
    folder: Path = Path('runs/hop_mixture'),
) -> None:
    """Trains the four models, prints the table, draws the picture.

    Args:
        hidden: Hidden size of the single GCN.
        num_graphs: Number of graphs of all splits together.
        max_epochs: Number of epochs.
        seed: The seed of the training.
        folder: Where the results go.
    """
    warnings.filterwarnings('ignore', module='lightning')
    for name in ('lightning.pytorch', 'lightning.fabric'):
        logging.getLogger(name).setLevel(logging.ERROR)
    # Matrices this small are not worth a second thread.
    torch.set_num_threads(1)
    results = [
        train(name, m, hidden, num_graphs, max_epochs, seed, folder)
        for name, m in track(MODELS.items(), description='Training')
    ]
    show(results)
    record = {**provenance(), 'seed': seed, 'results': results}
    path = write_result(folder, 'results', record)
    picture = draw(results, folder / 'hop_mixture.png')
    print(f'Wrote {path} and {picture}')


if __name__ == '__main__':
    run(main)
