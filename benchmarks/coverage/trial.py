"""One split: trains an ensemble, and looks at its intervals on the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from lightning.pytorch import (
    Callback,
    LightningModule,
    Trainer,
    seed_everything,
)
from sklearn.metrics import roc_auc_score

from benchmarks.coverage.splits import SplitAgain
from gmoe.datasets.ogb.molecule_info import info_of_ogb
from gmoe.molecules.calibration_data import CalibrationData, mean_and_spread
from gmoe.molecules.calibration_writer import predicted
from gmoe.molecules.predictions import by_class
from gmoe.molecules.uncertain import Uncertainty
from gmoe.molecules.uncertainty import (
    calibration_error,
    coverage,
    set_coverage,
)
from gmoe.molecules.uncertainty.nearest import NUM_BYTES
from gmoe.training import EpochSeed, GraphPredictor

LEVEL = 0.9
#: Small, and without hop-2 edges: coverage does not depend on how good a
#: network is, the width of intervals does.
MODEL = {
    'conv': 'gcn',
    'hidden_channels': 48,
    'num_layers': 3,
    'num_experts': 4,
    'num_experts_1hop': 4,
    'top_k': 1,
    'learning_rate': 5e-3,
}


def run_trial(
    name: str,
    kind: str,
    seed: int,
    members: int,
    epochs: int,
    divisions: int,
    root: Path,
) -> dict[str, Any]:
    """Trains on one split.

    Molecules that are held out of the training of a random split are divided
    into validation and test at random, many times: each time, each member is
    the epoch that is best on the validation part, as of ``gmoe fit``. Those
    of other splits are divided as the split says.

    Args:
        name: The dataset.
        kind: The kind of split.
        seed: The split's seed.
        members: The number of networks.
        epochs: The number of epochs.
        divisions: How many times molecules are divided.
        root: The folder of the datasets.

    Returns:
        The scores on the test split, as plain values.
    """
    data = SplitAgain(
        name,
        kind,
        seed,
        root=root,
        batch_size=64,
        eval_batch_size=512,
        two_hop=None,
    )
    data.setup()
    made = [_member(data, 1000 * seed + i, epochs) for i in range(members)]
    target = made[0].target
    first = len(data.splits['valid'])
    order = np.arange(len(target))
    parts = [(order[:first], order[first:])]
    if kind == 'random':
        draw = np.random.default_rng(seed)
        orders = [draw.permutation(order) for _ in range(divisions)]
        parts = [(each[:first], each[first:]) for each in orders]
    record: dict[str, Any] = {
        'dataset': name,
        'split': kind,
        'seed': seed,
        'members': members,
        'epochs': epochs,
        'sizes': {key: len(index) for key, index in data.splits.items()},
    }
    for label, count in (('single', 1), ('ensemble', members)):
        record[label] = [
            _scores(name, made[:count], target, valid, test, is_kept=not i)
            for i, (valid, test) in enumerate(parts)
        ]
    return record


class _Member(NamedTuple):
    """Predictions of each epoch for the molecules that are held out."""

    prediction: np.ndarray  #: of shape [epochs, molecules, outputs]
    target: np.ndarray

    def best(self, valid: np.ndarray, is_value: bool) -> np.ndarray:
        """Those of the epoch that is best on some of the molecules."""
        y = self.target[valid, 0]
        parts = self.prediction[:, valid, 0]
        if is_value:
            scores = [-np.mean((p - y) ** 2) for p in parts]
        else:
            scores = [roc_auc_score(y, p) for p in parts]
        return self.prediction[int(np.argmax(scores))]


class _EachEpoch(Callback):
    def __init__(self, data: SplitAgain) -> None:
        self.data = data
        self.made: list[np.ndarray] = []
        self.target = np.empty(0)

    def on_train_epoch_end(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        data = self.data
        assert isinstance(pl_module, GraphPredictor)
        parts = [
            predicted(pl_module, data, loader)
            for loader in (data.val_dataloader()[0], data.test_dataloader())
        ]
        pl_module.train()
        self.made.append(np.concatenate([p['prediction'] for p in parts]))
        self.target = np.concatenate([p['target'] for p in parts])


def _member(data: SplitAgain, seed: int, epochs: int) -> _Member:
    seed_everything(seed, verbose=False)
    network = GraphPredictor(
        dataset=data.name,
        task_type=data.task_type,
        metric=data.eval_metric,
        out_channels=data.num_outputs,
        node_dims=data.node_dims,
        edge_dims=data.edge_dims,
        standardize=True,
        **MODEL,
    )
    each = _EachEpoch(data)
    trainer = Trainer(
        accelerator='cpu',
        max_epochs=epochs,
        logger=False,
        callbacks=[EpochSeed(seed), each],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    trainer.fit(network, datamodule=data)
    return _Member(np.stack(each.made), each.target.astype(float))


def _scores(
    name: str,
    members: list[_Member],
    target: np.ndarray,
    valid: np.ndarray,
    test: np.ndarray,
    is_kept: bool,
) -> dict[str, Any]:
    info = info_of_ogb(name)
    is_value = info.classes is None
    chosen = [member.best(valid, is_value) for member in members]
    none = np.zeros((0, NUM_BYTES), np.uint8)
    uncertainty = Uncertainty(
        info,
        [
            CalibrationData(
                part[valid].astype(np.float32), target[valid], valid, none
            )
            for part in chosen
        ],
    )
    mean, spread = mean_and_spread(np.stack([part[test] for part in chosen]))
    values, y = by_class(mean, info), target[test, 0]
    if is_value:
        made = uncertainty.intervals(values, LEVEL, spread)[:, 0]
        error = mean[:, 0] - y
        return {
            'coverage': coverage(made, y),
            'width': float(np.median(made[:, 1] - made[:, 0])),
            'rmse': float(np.sqrt(np.mean(error**2))),
        }
    sets = uncertainty.sets(values, LEVEL)[:, 0]
    scores: dict[str, Any] = {
        'coverage': set_coverage(sets, y),
        'size': float(sets.sum(axis=1).mean()),
        'by_class': [
            set_coverage(sets[y == i], y[y == i])
            for i in range(len(info.classes or ()))
        ],
    }
    for way in ('none', 'temperature', 'isotonic'):
        p = uncertainty.calibrate(values, way)[:, 0, 1]
        scores[way] = {'calibration_error': calibration_error(p, y)}
        if is_kept:  # For the picture.
            scores[way]['probability'] = [round(float(x), 3) for x in p]
    if is_kept:
        scores['outcome'] = [int(x) for x in y]
    return scores
