"""A tiny run on the embedded dataset."""

import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.loggers import CSVLogger
from torch.nn import functional
from torch_geometric.data import Batch

from gmoe.datasets import HopMixture
from gmoe.training import (
    BestCheckpoint,
    EpochSeed,
    GraphPredictor,
    HopMixtureDataModule,
    LastCheckpoint,
)

MODEL = {
    'conv': 'gcn',
    'hidden_channels': 8,
    'num_layers': 2,
    'num_experts': 4,
    'num_experts_1hop': 2,
    'top_k': 2,
    'dropout': 0.3,
}
DATA = {'num_graphs': 60, 'batch_size': 8, 'drop_nodes': 0.2}


def make_data(**kwargs: Any) -> HopMixtureDataModule:
    return HopMixtureDataModule(**{**DATA, **kwargs})


def make_model(**kwargs: Any) -> GraphPredictor:
    data = HopMixtureDataModule
    return GraphPredictor(
        **{
            'dataset': data.name,
            'task_type': data.task_type,
            'metric': data.eval_metric,
            'node_dims': data.node_dims,
            'edge_dims': data.edge_dims,
            **MODEL,
            **kwargs,
        }
    )


def make_trainer(
    folder: Path | None = None,
    max_epochs: int = 2,
    callbacks: list[Callback] | None = None,
    **kwargs: Any,
) -> Trainer:
    """A trainer that keeps what the command line's keeps, or nothing."""
    callbacks = [EpochSeed(), *(callbacks or [])]
    kwargs.setdefault('enable_checkpointing', folder is not None)
    if folder is not None:
        kwargs.setdefault('logger', CSVLogger(folder, name='csv'))
        best = BestCheckpoint(
            folder,
            filename='best',
            monitor='val/acc',
            mode='max',
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )
        callbacks += [best, LastCheckpoint(folder)]
    kwargs.setdefault('logger', False)
    return Trainer(
        accelerator='cpu',
        max_epochs=max_epochs,
        callbacks=callbacks,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **kwargs,
    )


def fit(
    folder: Path,
    max_epochs: int,
    seed: int = 5,
    ckpt_path: Path | None = None,
    **data: Any,
) -> Trainer:
    """A run, or the rest of one."""
    seed_everything(seed)
    trainer = make_trainer(folder, max_epochs)
    trainer.fit(
        make_model(), make_data(**data), ckpt_path=ckpt_path, weights_only=True
    )
    return trainer


def logged(folder: Path) -> pd.DataFrame:
    """What all parts of a run have logged, one row per epoch."""
    files = sorted(folder.glob('csv/version_*/metrics.csv'))
    return (
        pd.concat([pd.read_csv(file) for file in files])
        .groupby('epoch')
        .last()
    )


def write_config(folder: Path, **data: Any) -> Path:
    """A configuration of the command line; its runs are in `folder`."""
    config = {
        'seed_everything': 5,
        'run_dir': str(folder / 'runs'),
        'trainer': {
            'max_epochs': 4,
            'accelerator': 'cpu',
            'enable_progress_bar': False,
            'enable_model_summary': False,
            'num_sanity_val_steps': 0,
        },
        'model': {
            'class_path': 'gmoe.training.GraphPredictor',
            'init_args': MODEL,
        },
        'data': {
            'class_path': 'gmoe.training.HopMixtureDataModule',
            'init_args': {**DATA, **data},
        },
    }
    path = folder / 'tiny.yaml'
    path.write_text(yaml.safe_dump(config))
    return path


class SomeLabels(HopMixtureDataModule):
    """Graphs with three tasks, of which some have no label.

    Args:
        labels: Which labels there are: `some`, `none`, `none in validation`
            or `one class in validation`.
        **kwargs: Arguments of the base class.
    """

    num_tasks = 3

    def __init__(self, labels: str = 'some', **kwargs: Any) -> None:
        super().__init__(**{**DATA, 'drop_nodes': 0.0, **kwargs})
        self.labels = labels

    def load(self) -> HopMixture:
        dataset = super().load()
        generator = torch.Generator().manual_seed(0)
        shape = len(dataset), self.num_tasks
        y = torch.randint(2, shape, generator=generator).float()
        y[torch.rand(shape, generator=generator) < 0.7] = torch.nan
        valid = dataset.get_idx_split()['valid']
        if self.labels == 'none in validation':
            y[valid] = torch.nan
        if self.labels == 'one class in validation':
            y[valid] = 1.0
        if self.labels == 'none':
            y[:] = torch.nan
        dataset._data.y = y
        return dataset


def make_still(**kwargs: Any) -> GraphPredictor:
    """A model for three tasks whose predictions do not change in training."""
    seed_everything(0)
    still = {
        'out_channels': 3,
        'learning_rate': 0.0,
        'dropout': 0.0,
        'norm': 'layer_norm',
        'router_kwargs': {'noise': False},
    }
    return make_model(**{**still, **kwargs})


def label_loss(
    model: GraphPredictor, data: HopMixtureDataModule, split: str
) -> float:
    """The mean over all labels of a split, of which some are missing."""
    graphs = data.dataset[data.splits[split]]
    batch = data.two_hop(Batch.from_data_list(list(graphs)))
    with torch.no_grad():
        out, _ = model(batch)
    y = batch.y.view(out.shape).double()
    labelled = ~y.isnan()
    assert 0 < labelled.double().mean() < 1
    return float(
        functional.binary_cross_entropy_with_logits(
            out.double()[labelled], y[labelled]
        )
    )


class Breaks(Callback):
    """Makes a weight infinite before or after a step, counted from zero.

    Args:
        step: The step.
        after: Whether after it.
    """

    def __init__(self, step: int, after: bool = False) -> None:
        self.step = step
        self.after = after

    def _change(self, trainer: Trainer, pl_module: Any) -> None:
        if trainer.global_step == self.step + self.after:
            with torch.no_grad():
                next(pl_module.gnn.head.parameters()).fill_(torch.inf)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: Any, *args: Any
    ) -> None:
        if not self.after:
            self._change(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, *args: Any
    ) -> None:
        if self.after:
            self._change(trainer, pl_module)


class Stuck(Callback):
    """Stands still in the middle of the third epoch, and says so."""

    def __init__(self, sign: str) -> None:
        self.sign = Path(sign)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.current_epoch == 2 and batch_idx == 3:
            self.sign.touch()
            time.sleep(600)


class Slow(Callback):
    """Takes its time from the second epoch on, and says when it starts."""

    def __init__(self, sign: str) -> None:
        self.sign = Path(sign)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.current_epoch >= 1:
            self.sign.touch()
            time.sleep(0.5)


class Held(Callback):
    """Waits after an epoch of this process for as long as a file is there."""

    def __init__(self, file: str) -> None:
        self.file = Path(file)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        first = trainer.fit_loop.epoch_progress.current.started
        self.first = getattr(self, 'first', first)
        while first > self.first and self.file.exists():
            time.sleep(0.05)


class Broken(Callback):
    """A mistake in somebody's code."""

    def on_fit_start(self, trainer: Trainer, pl_module: Any) -> None:
        raise ValueError('a mistake')
