"""A run on the links of one graph."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import seed_everything

from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds.fitting import fit, make_trainer, tested
from benchmarks.reproduce.kinds.run_log import RunLog
from gmoe.training import LinkDataModule, LinkPredictor

#: What a quick run changes.
QUICK_MODEL = {'hidden_channels': 8}
QUICK_DATA = {'batch_size': 2**19}


def train(job: Job) -> dict[str, Any]:
    """Trains a network from its last checkpoint, or from the start.

    Returns:
        Its result: the test pairs are scored once, with the weights of the
        epoch that is best on validation.
    """
    seed_everything(job.run.seed, workers=True, verbose=False)
    data = make_data(job)
    model = make_model(job, data)
    log = RunLog(job.folder)
    bound = job.run.cell.settings.get('gradient_clip_val')
    trainer = make_trainer(job, log, gradient_clip_val=bound)
    fit(job, trainer, model, data)
    return {
        **tested(trainer, model, data, log),
        # A prediction is for pairs, of which there are as many as one likes.
        'flops_per_graph': None,
    }


def make_data(job: Job) -> LinkDataModule:
    """The graph of a run."""
    settings = job.run.cell.settings
    values = dict(settings['data'])
    values.pop('name', None)  # Of a configuration.
    if settings.get('quick'):
        values |= QUICK_DATA
    return LinkDataModule(job.run.cell.dataset, str(job.root), **values)


def make_model(job: Job, data: LinkDataModule) -> LinkPredictor:
    """The network of a run."""
    settings = job.run.cell.settings
    model = settings['model']
    if settings.get('quick'):
        model = {**model, **QUICK_MODEL}
    return LinkPredictor(
        data.name,
        data.task_type,
        data.eval_metric,
        in_channels=data.in_channels,
        num_nodes=data.num_nodes,
        **model,
    )
