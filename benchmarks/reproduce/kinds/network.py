"""A run of a network: trained with what the command line trains with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Trainer, seed_everything

from benchmarks.reproduce.job import PREDICTIONS, Job
from benchmarks.reproduce.kinds.fitting import fit, make_trainer, result
from benchmarks.reproduce.kinds.flops import flops_per_graph
from benchmarks.reproduce.kinds.parts import parts_of
from benchmarks.reproduce.kinds.run_log import RunLog
from gmoe.training import GraphPredictor, OGBMolDataModule


def train(job: Job) -> dict[str, Any]:
    """Trains a network from its last checkpoint, or from the start.

    Returns:
        Its result: the test score at the epoch that is best on validation.
    """
    seed_everything(job.run.seed, workers=True, verbose=False)
    data = make_data(job)
    model = make_model(job, data)
    log = RunLog(job.folder)
    trainer = make_trainer(job, log)
    fit(job, trainer, model, data)
    model.load_state_dict(log.best['weights'])
    test = None
    if data.test_curve:
        test = log.curve['test'][log.best['epoch']]
        _predict(trainer, model, data, job.folder)
    kept = result(model, data, log, test)
    batch = next(iter(data.val_dataloader()[0]))
    return {
        **kept,
        'flops_per_graph': flops_per_graph(
            model.cpu(), data.on_after_batch_transfer(batch, 0)
        ),
    }


def make_data(job: Job) -> OGBMolDataModule:
    """The data of a run."""
    cell = job.run.cell
    data = OGBMolDataModule(
        f'ogbg-{cell.dataset}',
        job.root,
        download=False,
        **cell.settings['data'],
    )
    if 'split' in cell.settings:
        data.setup()
        data.splits = parts_of(job, data.dataset)
    return data


def make_model(job: Job, data: OGBMolDataModule) -> GraphPredictor:
    """The network of a run."""
    features = {}
    if data.graph_dims is not None:
        features['graph_dims'] = data.graph_dims
    return GraphPredictor(
        data.name,
        data.task_type,
        data.eval_metric,
        out_channels=data.num_tasks,
        node_dims=data.node_dims,
        edge_dims=data.edge_dims,
        **features,
        **job.run.cell.settings['model'],
    )


def _predict(trainer: Trainer, model: Any, data: Any, folder: Path) -> None:
    # For the prediction that is averaged over seeds.
    parts = trainer.predict(model, datamodule=data)
    np.savez_compressed(
        folder / PREDICTIONS,
        **{
            key: torch.cat([part[key] for part in parts]).cpu().numpy()
            for key in ('prediction', 'target')
        },
    )
