"""One split: trains an ensemble, and looks at its intervals on the test."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Trainer, seed_everything

from benchmarks.coverage.splits import SplitAgain
from gmoe.molecules.calibration_data import CalibrationData, mean_and_spread
from gmoe.molecules.calibration_writer import predicted
from gmoe.molecules.ogb_info import info_of_ogb
from gmoe.molecules.predictions import by_class
from gmoe.molecules.uncertain import Uncertainty
from gmoe.molecules.uncertainty import (
    calibration_error,
    coverage,
    set_coverage,
)
from gmoe.molecules.uncertainty.nearest import NUM_BYTES
from gmoe.training import BestCheckpoint, EpochSeed, GraphPredictor

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
    name: str, kind: str, seed: int, members: int, epochs: int, root: Path
) -> dict[str, Any]:
    """Trains on one split.

    Args:
        name: The dataset.
        kind: The kind of split.
        seed: The split's seed.
        members: The number of networks.
        epochs: The number of epochs, of which the best one is taken.
        root: The folder of the datasets.

    Returns:
        The scores on the test split, as plain values.
    """
    data = SplitAgain(
        name,
        kind,
        seed,
        root=root,
        batch_size=128,
        eval_batch_size=512,
        two_hop=None,
    )
    data.setup()
    parts = [_member(data, 1000 * seed + i, epochs) for i in range(members)]
    record: dict[str, Any] = {
        'dataset': name,
        'split': kind,
        'seed': seed,
        'members': members,
        'epochs': epochs,
        'sizes': {key: len(index) for key, index in data.splits.items()},
    }
    for label, count in (('single', 1), ('ensemble', members)):
        record[label] = _scores(name, parts[:count])
    return record


def _member(
    data: SplitAgain, seed: int, epochs: int
) -> dict[str, dict[str, np.ndarray]]:
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
    with tempfile.TemporaryDirectory() as folder:
        best = BestCheckpoint(
            folder,
            filename='best',
            monitor=data.monitor,
            mode=data.monitor_mode,
            save_on_train_epoch_end=True,
            save_weights_only=True,
        )
        trainer = Trainer(
            accelerator='cpu',
            max_epochs=epochs,
            logger=False,
            callbacks=[EpochSeed(seed), best],
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(network, datamodule=data)
        chosen = GraphPredictor.load_from_checkpoint(best.best_model_path)
    return {
        'valid': predicted(chosen, data, data.val_dataloader()[0]),
        'test': predicted(chosen, data, data.test_dataloader()),
    }


def _scores(name: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    info = info_of_ogb(name)
    none = np.zeros((0, NUM_BYTES), np.uint8)
    uncertainty = Uncertainty(
        info,
        [
            CalibrationData(
                part['valid']['prediction'].astype(np.float32),
                part['valid']['target'].astype(np.float64),
                part['valid']['graph_id'].ravel().astype(np.int64),
                none,
            )
            for part in parts
        ],
    )
    stacked = np.stack([part['test']['prediction'] for part in parts])
    mean, spread = mean_and_spread(stacked)
    values = by_class(mean, info)
    target = parts[0]['test']['target'][:, 0].astype(float)
    if info.classes is None:
        made = uncertainty.intervals(values, LEVEL, spread)[:, 0]
        error = mean[:, 0] - target
        return {
            'coverage': coverage(made, target),
            'width': float(np.median(made[:, 1] - made[:, 0])),
            'rmse': float(np.sqrt(np.nanmean(error**2))),
        }
    sets = uncertainty.sets(values, LEVEL)[:, 0]
    scores: dict[str, Any] = {
        'coverage': set_coverage(sets, target),
        'size': float(sets.sum(axis=1).mean()),
        'by_class': [
            set_coverage(sets[target == i], target[target == i])
            for i in range(len(info.classes))
        ],
    }
    for way in ('none', 'temperature', 'isotonic'):
        p = uncertainty.calibrate(values, way)[:, 0, 1]
        scores[way] = {
            'calibration_error': calibration_error(p, target),
            'probability': [round(float(x), 3) for x in p],
        }
    scores['outcome'] = [int(x) for x in target]
    return scores
