"""A run of a graph model of WebNLG."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Trainer, seed_everything
from torch_geometric.utils import scatter

from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds import webnlg_scores
from benchmarks.reproduce.kinds.fitting import fit, make_trainer
from benchmarks.reproduce.kinds.run_log import EpochLog
from benchmarks.reproduce.kinds.webnlg_parts import load_parts, quick_slice
from benchmarks.reproduce.kinds.webnlg_scores import Epoch, routing_by_category
from benchmarks.reproduce.store import finite
from gmoe.routing import Routing
from gmoe.training import TriplePredictor, WebNLGDataModule

#: Graphs per batch where nothing is trained.
EVAL_BATCH_SIZE = 1024

#: Batches per epoch of a quick run.
QUICK_BATCHES = 5


def train(job: Job) -> dict[str, Any]:
    """Trains a graph model from its last checkpoint, or from the start.

    Returns:
        Its result: the scores of both protocols, or those on the entities
        that are held out, if some are.
    """
    settings = job.run.cell.settings
    is_quick = settings.get('quick', False)
    seed_everything(job.run.seed, workers=True, verbose=False)
    data = WebNLGDataModule(job.root, download=False, **settings['data'])
    model = TriplePredictor(
        out_channels=data.num_classes,
        text_channels=data.text_channels,
        features=data.features_name,
        **settings['model'],
    )
    # The epoch is not chosen: the settings say how many there are.
    limits = {'limit_val_batches': 0}
    if is_quick:
        limits['limit_train_batches'] = QUICK_BATCHES
    if data.holdout is not None:
        log = EpochLog(job.folder)
        trainer = make_trainer(job, log, **limits)
        fit(job, trainer, model, data)
        return _held_out(trainer, model, data) | {'measured': log.measured()}
    predicted = PredictionLog(job.folder, is_quick)
    fit(job, make_trainer(job, predicted, **limits), model, data)
    return webnlg_scores.result(
        [Epoch(**epoch) for epoch in predicted.epochs],
        load_parts(job.root, is_quick),
        _num_parameters(model),
    )


class PredictionLog(EpochLog):
    """Predicts after each epoch, and keeps what was predicted.

    Args:
        folder: Where the progress is written for the one who watches.
        is_quick: Whether to predict a slice only.
    """

    kept = ('epochs', *EpochLog.kept)

    def __init__(self, folder: Path, is_quick: bool) -> None:
        super().__init__(folder)
        self.is_quick = is_quick
        self.epochs: list[dict[str, Any]] = []

    def keep(self, trainer: Trainer, pl_module: Any) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        index = data.dataset.get_idx_split('clean')
        dev, test = index['valid'], index['test']
        if self.is_quick:
            dev, test = quick_slice(dev, 'dev'), quick_slice(test, 'test')
        category, _ = _predict(pl_module, data, dev)
        started = time.perf_counter()
        test_category, weights = _predict(pl_module, data, test)
        infer_seconds = time.perf_counter() - started
        routing = None
        if weights is not None:
            labels = data.dataset.y[test].numpy()
            routing = routing_by_category(weights, labels)
        number = trainer.current_epoch + 1
        epoch = Epoch(
            epoch=number,
            selection=number,
            dev=category,
            test=test_category,
            train_seconds=self.train_seconds[-1],
            infer_seconds=infer_seconds,
            routing=routing,
        )
        self.epochs.append(asdict(epoch))


def graph_weights(routings: Sequence[Routing], batch: Any) -> np.ndarray:
    """The mean weight of each expert over the nodes of each graph, layer
    after layer, of shape ``[num_graphs, num_layers * n]``.

    Args:
        routings: The routing of each layer.
        batch: The graphs.
    """
    layers = [
        scatter(routing.gates, batch.batch, 0, batch.num_graphs, 'mean')
        for routing in routings
    ]
    return torch.cat(layers, dim=1).cpu().numpy()


@torch.no_grad()
def _predict(
    model: TriplePredictor, data: WebNLGDataModule, index: torch.Tensor
) -> tuple[list[int], np.ndarray | None]:
    category: list[int] = []
    weights = []
    model.eval()
    for part in index.split(EVAL_BATCH_SIZE):
        batch = data.dataset.take(part)
        if data.two_hop is not None:
            batch = data.two_hop(batch)
        batch = batch.to(model.device)
        out, routings = model(batch)
        category += out.argmax(dim=1).tolist()
        if routings:
            weights.append(graph_weights(routings, batch))
    model.train()
    return category, np.concatenate(weights) if weights else None


def _held_out(
    trainer: Trainer, model: TriplePredictor, data: WebNLGDataModule
) -> dict[str, Any]:
    trainer.limit_val_batches = 1.0
    (scores,) = trainer.validate(model, data, verbose=False)
    return {
        'metric': data.eval_metric,
        'valid': finite(scores[f'val/{data.eval_metric}']),
        'scores': {
            name.removeprefix('val/'): finite(value)
            for name, value in scores.items()
        },
        'num_parameters': _num_parameters(model),
    }


def _num_parameters(model: TriplePredictor) -> int:
    return sum(p.numel() for p in model.parameters())
