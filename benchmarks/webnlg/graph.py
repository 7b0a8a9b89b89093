"""Graph models: each is a file of ``configs/webnlg``."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from torch_geometric.utils import scatter

from benchmarks.common.record import ROOT, write_json
from benchmarks.speed.epoch_timer import EpochTimer
from benchmarks.webnlg.data import quick_slice
from benchmarks.webnlg.records import Epoch, Run, routing_by_category, to_json
from gmoe import cli
from gmoe.routing import Routing

CONFIGS = ROOT / 'configs' / 'webnlg'
MODELS = sorted(path.stem for path in CONFIGS.glob('*.yaml'))

#: Graphs per batch where nothing is trained.
EVAL_BATCH_SIZE = 1024

#: Batches per epoch of ``--quick``.
QUICK_BATCHES = 5


class Predictions(Callback):
    """Predicts after each epoch, and keeps what was predicted.

    Args:
        folder: Where it is kept.
        quick: Whether to predict a slice only.
    """

    def __init__(self, folder: str, quick: bool = False) -> None:
        self.folder = Path(folder)
        self.quick = quick

    def on_train_epoch_end(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        dataset = trainer.datamodule.dataset  # type: ignore[attr-defined]
        index = dataset.get_idx_split('clean')
        dev, test = index['valid'], index['test']
        if self.quick:
            dev, test = quick_slice(dev, 'dev'), quick_slice(test, 'test')
        category, _ = self._predict(trainer, pl_module, dev)
        started = time.perf_counter()
        test_category, weights = self._predict(trainer, pl_module, test)
        infer_seconds = time.perf_counter() - started
        routing = None
        if weights is not None:
            routing = routing_by_category(weights, dataset.y[test].numpy())
        timer = next(
            c
            for c in trainer.callbacks  # type: ignore[attr-defined]
            if isinstance(c, EpochTimer)
        )
        number = trainer.current_epoch + 1
        epoch = Epoch(
            epoch=number,
            # Epochs are not chosen: the settings say how many there are.
            selection=number,
            dev=category,
            test=test_category,
            train_seconds=timer.train_seconds[trainer.current_epoch],
            infer_seconds=infer_seconds,
            routing=routing,
        )
        write_json(self.folder / f'epoch-{number}.json', to_json(epoch))

    def _predict(
        self, trainer: Trainer, model: LightningModule, index: torch.Tensor
    ) -> tuple[list[int], np.ndarray | None]:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        category: list[int] = []
        weights = []
        model.eval()
        with torch.no_grad():
            for part in index.split(EVAL_BATCH_SIZE):
                batch = data.dataset.take(part)
                if data.two_hop is not None:
                    batch = data.two_hop(batch)
                out, routings = model(batch)
                category += out.argmax(dim=1).tolist()
                if routings:
                    weights.append(graph_weights(routings, batch))
        model.train()
        return category, np.concatenate(weights) if weights else None


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
    return torch.cat(layers, dim=1).numpy()


def settings_of(
    model: str, quick: bool = False, epochs: int | None = None
) -> dict[str, Any]:
    """What decides on the result of a model, besides the seed.

    Args:
        model: The name of a file of ``configs/webnlg``.
        quick: Whether it is trained for one epoch on a slice.
        epochs: The number of epochs, if it is another one.
    """
    config = yaml.safe_load((CONFIGS / f'{model}.yaml').read_text())
    data = dict(config['data']['init_args'])
    data.pop('root', None)
    return {
        'model': config['model']['init_args'],
        'data': data,
        'epochs': epochs or (1 if quick else config['trainer']['max_epochs']),
    }


def train(
    model: str,
    seed: int,
    folder: Path,
    root: str,
    quick: bool = False,
    epochs: int | None = None,
) -> Run:
    """Trains and tests a graph model; one that was interrupted goes on.

    Args:
        model: The name of a file of ``configs/webnlg``.
        seed: The seed.
        folder: Where checkpoints and predictions are kept.
        root: The folder that holds WebNLG.
        quick: Whether to train one epoch on a few batches.
        epochs: The number of epochs, if it is another one.
    """
    settings = settings_of(model, quick, epochs)
    fit, predictions = folder / 'fit', 'benchmarks.webnlg.graph.Predictions'
    arguments = [
        'fit',
        f'--config={CONFIGS / model}.yaml',
        f'--run_dir={fit}',
        f'--seed_everything={seed}',
        f'--data.root={root}',
        f'--trainer.max_epochs={settings["epochs"]}',
        '--trainer.callbacks+=benchmarks.speed.epoch_timer.EpochTimer',
        f'--trainer.callbacks+={predictions}',
        f'--trainer.callbacks.init_args.folder={folder}',
        f'--trainer.callbacks.init_args.quick={quick}',
        '--trainer.enable_progress_bar=false',
        '--trainer.enable_model_summary=false',
    ]
    if quick:
        arguments.append(f'--trainer.limit_train_batches={QUICK_BATCHES}')
    if list(fit.glob('version_*/checkpoints/last.ckpt')):
        arguments.append('--ckpt_path=last')
    sys.argv = sys.argv[:1]  # Lightning warns of arguments in two places.
    done = cli.run(arguments)
    assert done is not None
    predicted = read_epochs(folder, settings['epochs'])
    if predicted is None:
        # Those of epochs before its checkpoint: it starts again.
        shutil.rmtree(folder)
        return train(model, seed, folder, root, quick, epochs)
    trained = sum(p.numel() for p in done.model.parameters())
    return Run(trained, settings, predicted)


def read_epochs(folder: Path, count: int) -> list[Epoch] | None:
    """The predictions of each epoch, :obj:`None` if some cannot be read, as
    when the machine went down while they were written.

    Args:
        folder: Where they are.
        count: The number of epochs.
    """
    paths = [folder / f'epoch-{number + 1}.json' for number in range(count)]
    try:
        return [Epoch(**json.loads(path.read_bytes())) for path in paths]
    except (FileNotFoundError, ValueError, TypeError):
        return None
