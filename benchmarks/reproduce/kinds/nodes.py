"""A run on the nodes of one graph."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import seed_everything

from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds.fitting import fit, make_trainer, tested
from benchmarks.reproduce.kinds.flops import flops_of
from benchmarks.reproduce.kinds.run_log import RunLog
from benchmarks.reproduce.store import finite
from gmoe.routing.report import homophily
from gmoe.training import NodeDataModule, NodePredictor
from gmoe.training.callbacks import EarlyStop

#: What a quick run changes.
QUICK_MODEL = {'hidden_channels': 8, 'num_layers': 2, 'heads': 1}
QUICK_DATA = {'max_hop2_pairs': 10_000, 'steps_per_epoch': 1}


def train(job: Job) -> dict[str, Any]:
    """Trains a network from its last checkpoint, or from the start.

    Returns:
        Its result: the test nodes are scored once, with the weights of the
        epoch that is best on validation.
    """
    seed_everything(job.run.seed, workers=True, verbose=False)
    data = make_data(job)
    model = make_model(job, data)
    log = RunLog(job.folder)
    trainer = make_trainer(job, log)
    patience = job.run.cell.settings.get('patience')
    if patience is not None:
        stop = EarlyStop(
            patience, monitor=data.monitor, mode=data.monitor_mode
        )
        trainer.callbacks.insert(1, stop)  # type: ignore[attr-defined]
    fit(job, trainer, model, data)
    kept = tested(trainer, model, data, log)
    batch = next(iter(data.val_dataloader()))
    graph = data.graph.data
    return {
        **kept,
        'flops_per_graph': flops_of(
            model.cpu(), data.on_after_batch_transfer(batch, 0)
        ),
        'homophily': _homophily(graph.edge_index, graph.y),
        'split': {part: len(index) for part, index in data.splits.items()},
    }


def make_data(job: Job) -> NodeDataModule:
    """The graph of a run, with the split of its seed where there are
    several."""
    settings = job.run.cell.settings
    values = dict(settings['data'])
    values.pop('name', None)  # Of a configuration.
    splits = values.pop('splits')
    if settings.get('quick'):
        values |= QUICK_DATA
    return NodeDataModule(
        job.run.cell.dataset,
        str(job.root),
        split=job.run.seed % splits,
        **values,
    )


def make_model(job: Job, data: NodeDataModule) -> NodePredictor:
    """The network of a run."""
    settings = job.run.cell.settings
    model = settings['model']
    if settings.get('quick'):
        model = {**model, **QUICK_MODEL}
        if model.get('moe_layers') is not None:
            model['moe_layers'] = [1]
    return NodePredictor(
        data.name,
        data.task_type,
        data.eval_metric,
        in_channels=data.in_channels,
        out_channels=data.num_outputs,
        router_columns=data.router_columns,
        **model,
    )


def _homophily(edge_index: torch.Tensor, y: torch.Tensor) -> float | None:
    """The mean over nodes of the share of neighbours of the same class;
    :obj:`None` where a node has several labels."""
    if y.dim() == 2:
        if y.size(1) > 1:
            return None
        y = y[:, 0].nan_to_num(-1).long()
    return finite(float(homophily(edge_index, y).nanmean()))
