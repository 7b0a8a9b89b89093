"""A run of a network: trained with the command line's own classes."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import yaml
from lightning.pytorch import Trainer

from benchmarks.reproduce.flops import flops_per_graph
from benchmarks.reproduce.run_log import RunLog
from gmoe import cli
from gmoe.training import PredictionWriter

if TYPE_CHECKING:
    from benchmarks.reproduce.work import Job


def train(job: Job) -> dict[str, Any]:
    """Trains a network from its last checkpoint, or from the start.

    Args:
        job: The run.

    Returns:
        Its result: the test score at the epoch that is best on validation.
    """
    config = _write_config(job)
    arguments = ['fit', f'--config={config}']
    if list(job.folder.glob('version_*/checkpoints/last.ckpt')):
        arguments.append('--ckpt_path=last')
    else:
        for path in job.folder.glob('version_*'):
            shutil.rmtree(path)
    sys.argv = sys.argv[:1]  # Lightning warns of arguments in two places.
    done = cli.run(arguments)
    assert done is not None
    trainer, data, model = done.trainer, done.datamodule, done.model
    log = next(c for c in trainer.callbacks if isinstance(c, RunLog))
    # What follows loads the log as it was then.
    curve, measured = log.curve, log.measured()
    best = trainer.checkpoint_callback.best_model_path
    state = torch.load(best, map_location='cpu', weights_only=True)
    model.load_state_dict(state['state_dict'])
    epoch = state['epoch']
    if data.test_curve:
        _predict(trainer, model, data, job.folder)
    batch = next(iter(data.val_dataloader()[0]))
    return {
        'metric': data.eval_metric,
        'valid': curve['valid'][epoch],
        'test': curve['test'][epoch] if data.test_curve else None,
        'best_epoch': epoch,
        'num_parameters': sum(p.numel() for p in model.parameters()),
        'flops_per_graph': flops_per_graph(
            model.cpu(), data.on_after_batch_transfer(batch, 0)
        ),
        'curve': curve,
        'measured': measured,
    }


def _write_config(job: Job) -> Path:
    cell = job.run.cell
    settings = cell.settings
    config = {
        'seed_everything': job.run.seed,
        'run_dir': str(job.folder),
        'trainer': {
            'max_epochs': settings['epochs'],
            'accelerator': job.accelerator,
            'devices': 1,
            'logger': False,
            'enable_progress_bar': False,
            'enable_model_summary': False,
            'num_sanity_val_steps': 0,
            'callbacks': [
                {
                    'class_path': 'benchmarks.reproduce.run_log.RunLog',
                    'init_args': {'folder': str(job.folder)},
                }
            ],
        },
        'model': {
            'class_path': 'gmoe.training.GraphPredictor',
            'init_args': settings['model'],
        },
        'data': {
            'class_path': 'gmoe.training.OGBMolDataModule',
            'init_args': {
                'name': f'ogbg-{cell.dataset}',
                'root': str(job.root),
                'download': False,
                **settings['data'],
            },
        },
    }
    path = job.folder / 'config.yaml'
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def _predict(trainer: Trainer, model: Any, data: Any, folder: Path) -> None:
    # For the prediction that is averaged over seeds.
    trainer.callbacks = [
        c for c in trainer.callbacks if not isinstance(c, PredictionWriter)
    ]
    parts = trainer.predict(model, datamodule=data)
    np.savez_compressed(
        folder / 'predictions.npz',
        **{
            key: torch.cat([part[key] for part in parts]).cpu().numpy()
            for key in ('prediction', 'target')
        },
    )
