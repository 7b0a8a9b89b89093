"""What the model card of a network for molecules says."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from gmoe.common.model_card import ModelCard
from gmoe.common.require import require
from gmoe.common.shown import one_line
from gmoe.datasets.molecules.feature_columns import columns_in
from gmoe.datasets.molecules.info import MULTICLASS, MoleculeInfo
from gmoe.molecules.calibration_data import CalibrationData, held_out
from gmoe.molecules.predictions import by_class
from gmoe.training.run_dir import versions
from gmoe.training.run_settings import run_settings

_USAGE = """from gmoe.molecules import TrainedModel

model = TrainedModel.load('FOLDER or user/name')
predictions = model.predict(['CCO', 'c1ccccc1'])"""
_TAGS = ('chemistry', 'graph-neural-network', 'mixture-of-experts')
#: The largest log of a run that is read for scores.
_MOST_BYTES = 1 << 26
_SHOWN = 20


def molecule_card(
    info: MoleculeInfo,
    arguments: Mapping[str, Any],
    num_members: int,
    **known: Any,
) -> ModelCard:
    """The model card of a network for molecules, or an ensemble of several.

    Args:
        info: What it predicts.
        arguments: The arguments of the network.
        num_members: The number of networks.
        **known: What is known of its training: arguments of
            :class:`~gmoe.common.model_card.ModelCard`.
    """
    names = ', '.join(info.targets[:_SHOWN])
    if len(info.targets) > _SHOWN:
        names += f' and {len(info.targets) - _SHOWN} more'
    several = f'{num_members} networks' if num_members > 1 else 'A network'
    what = (
        f'{several} of gmoe, graph mixtures of experts, for the '
        f'{info.task_type} of {one_line(names, 1000)}, from SMILES strings.'
    )
    settings = {
        'classes': None if info.classes is None else list(info.classes),
        'graphs of molecules': info.featurization,
        'features': (info.features or {}).get('kinds'),
        'columns beside the graph': list(columns_in(info.features)) or None,
        **{k: v for k, v in arguments.items() if not k.startswith('_')},
    }
    title = known.pop('title', None) or one_line(names)
    return ModelCard(
        title, what, _USAGE, settings=settings, tags=_TAGS, **known
    )


def run_facts(
    checkpoint: Mapping[str, Any], folder: Path | None
) -> dict[str, Any]:
    """What a run tells of its training: the data, the split and the scores.

    Args:
        checkpoint: A checkpoint of the run.
        folder: The run's folder, for the scores of its test.
    """
    data = run_settings(dict(checkpoint)).get('data')
    given = data.get('init_args') if isinstance(data, dict) else None
    given = given if isinstance(given, dict) else {}
    facts: dict[str, Any] = {}
    # Not the whole path, which tells of the machine.
    source = given.get('path') or given.get('name')
    if isinstance(source, str):
        facts['data'] = Path(source).name
    if 'name' in given:
        facts['split'] = "the dataset's own"
    elif given:
        split = given.get('split') or 'scaffold, or stratified for few'
        facts['split'] = f'{split}, seed {given.get("split_seed", 0)}'
        if given.get('folds'):
            facts['split'] += (
                f', fold {given.get("fold", 0)} of {given["folds"]}'
            )
    facts['scores'] = {} if folder is None else test_scores(folder)
    return facts


def joint_facts(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the runs of an ensemble tell of their training: their splits, and
    the means of the scores that each has alone.

    Args:
        runs: What each tells, of :func:`run_facts`.
    """
    facts = dict(runs[0])
    if len(runs) == 1:
        return facts
    splits = [
        re.sub(
            r'fold \d+ of (\d+)$', r'another of \1 folds each', run['split']
        )
        for run in runs
        if 'split' in run
    ]
    if splits:
        facts['split'] = '; '.join(dict.fromkeys(splits))
    facts['scores'] = {
        name.replace('(test)', '(test, mean of single networks)'): float(
            np.mean([run['scores'].get(name, np.nan) for run in runs])
        )
        for name in runs[0]['scores']
    }
    return facts


def test_scores(folder: Path) -> dict[str, float]:
    """The scores of the last test that a run has logged, as far as they can
    be read.

    Args:
        folder: The run's folder.
    """
    found: dict[str, float] = {}
    for log in versions(folder / 'csv'):
        path = log / 'metrics.csv'
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            continue
        with path.open(encoding='utf-8', errors='replace') as file:
            for row in csv.DictReader(file):
                for name, value in row.items():
                    if str(name).startswith('test/') and value:
                        with suppress(ValueError):
                            found[f'{name[5:]} (test)'] = float(value)
    return found


def validation_scores(
    info: MoleculeInfo, parts: Sequence[CalibrationData]
) -> dict[str, float]:
    """The scores of the networks for the molecules that they were validated
    on, which have chosen their epochs: RMSE and R2, or ROC-AUC and accuracy,
    as means over targets.

    Args:
        info: What is predicted.
        parts: What each network has left.
    """
    if not parts:
        return {}
    metrics = require('sklearn.metrics', 'mol')
    known = held_out(list(parts))
    values = by_class(known.prediction, info)
    rows: list[dict[str, float]] = []
    for i in range(info.num_tasks):
        kept = np.isfinite(known.target[:, i])
        if kept.sum() > 1:
            rows.append(
                _scores(metrics, info, known.target[kept, i], values[kept, i])
            )
    names = [name for row in rows for name in row]
    return {
        f'{name} (validation)': float(
            np.mean([row[name] for row in rows if name in row])
        )
        for name in dict.fromkeys(names)
    }


def _scores(
    metrics: Any, info: MoleculeInfo, target: np.ndarray, value: np.ndarray
) -> dict[str, float]:
    if info.classes is None:
        error = metrics.mean_squared_error(target, value) ** 0.5
        return {'RMSE': error, 'R2': metrics.r2_score(target, value)}
    accuracy = metrics.accuracy_score(target, value.argmax(axis=1))
    if info.task_type == MULTICLASS or len(np.unique(target)) < 2:
        return {'accuracy': accuracy}
    area = metrics.roc_auc_score(target, value[:, 1])
    return {'ROC-AUC': area, 'accuracy': accuracy}
