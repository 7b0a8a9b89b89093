"""Chooses the settings of the graph models of WebNLG, without its test part.

    python -m benchmarks.webnlg.search --root $GMOE_DATA_ROOT/webnlg

Each setting is trained without some of the root entities, and scored on the
entries about these that hold little else that is known, for several such
holdouts. Test entries are never scored. The score is that after the last
epoch, so that the setting that is chosen can be trained on all training
entries. Runs that are in the result file already are not run again.
"""

from __future__ import annotations

import json
import logging
import time
import warnings
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from lightning.pytorch import Trainer, seed_everything

from benchmarks.common import json_lines
from benchmarks.common.options import run
from benchmarks.common.place import is_default
from benchmarks.common.record import RESULTS, ROOT
from gmoe.training import EpochSeed, TriplePredictor, WebNLGDataModule

PATH = RESULTS / 'webnlg_search.jsonl'
#: Those of other holdouts and seeds.
OWN_PATH = ROOT / 'runs' / 'webnlg_search' / 'webnlg_search.jsonl'

#: What a setting changes.
BASE: dict[str, Any] = {
    'conv': 'gin',
    'num_layers': 2,
    'hidden_channels': 128,
    'num_experts': 4,
    'num_experts_1hop': 2,
    'top_k': 2,
    'dropout': 0.3,
    'text_dropout': 0.0,
    'learning_rate': 1e-3,
    'weight_decay': 0.01,
    'label_smoothing': 0.0,
    'balance_weight': 0.1,
    'features': 'encoder',
    'mask_entities': 0.5,
    'mask_properties': 0.0,
    'batch_size': 256,
    'max_epochs': 10,
}
_DATA = ('features', 'mask_entities', 'mask_properties', 'batch_size')

#: The settings by name.
SETTINGS: dict[str, dict[str, Any]] = {
    'base': {},
    'hashed': {'features': 'hashed'},
    'mask 0': {'mask_entities': 0.0},
    'mask 0.8': {'mask_entities': 0.8},
    'hide root': {'hide_root': True},
    'hide entities': {'hide_entities': True},
    'mask properties 0.1': {'mask_properties': 0.1},
    'text dropout 0.3': {'text_dropout': 0.3},
    'dropout 0.5': {'dropout': 0.5},
    '64 channels': {'hidden_channels': 64},
    '1 layer': {'num_layers': 1},
    '3 layers': {'num_layers': 3},
    'no relation features': {'relation_features': False},
    'relational': {'conv': 'relational'},
    'gcn': {'conv': 'gcn'},
    'single': {
        'num_experts': 1,
        'num_experts_1hop': 1,
        'top_k': None,
        'hidden_channels': 181,
    },
    'hop-1 experts only': {'num_experts_1hop': 4},
    '8 experts': {'num_experts': 8, 'num_experts_1hop': 4},
    '5 epochs': {'max_epochs': 5},
    '20 epochs': {'max_epochs': 20},
    'label smoothing 0.1': {'label_smoothing': 0.1},
    'readout root': {'readout': ['root']},
    'readout with edges': {'readout': ['root', 'mean', 'root_edges', 'edges']},
    'readout attention': {'readout': ['root', 'mean', 'attention']},
    'weight decay 0.1': {'weight_decay': 0.1},
    'learning rate 3e-3': {'learning_rate': 3e-3},
    'single, learning rate 3e-3': {
        'num_experts': 1,
        'num_experts_1hop': 1,
        'top_k': None,
        'hidden_channels': 181,
        'learning_rate': 3e-3,
    },
    'learning rate 3e-3, dropout 0.1': {
        'learning_rate': 3e-3,
        'dropout': 0.1,
    },
}


def score(
    setting: dict[str, Any], holdout: int, seed: int, data: WebNLGDataModule
) -> dict[str, float]:
    """Trains one model and scores it on what was held out.

    Args:
        setting: What differs from :obj:`BASE`.
        holdout: The part of the root entities that is held out.
        seed: The seed.
        data: The data, whose dataset is used again.
    """
    options = {**BASE, **setting}
    max_epochs = options.pop('max_epochs')
    module = WebNLGDataModule(
        data.root,
        holdout=holdout,
        encoder='offline',
        two_hop='exact'
        if options['num_experts_1hop'] < options['num_experts']
        else None,
        **{key: options.pop(key) for key in _DATA},
    )
    module.dataset = data.dataset
    module.splits = data.dataset.get_idx_split(holdout=holdout)
    seed_everything(seed, verbose=False)
    model = TriplePredictor(text_channels=module.text_channels, **options)
    trainer = Trainer(
        accelerator='cpu',
        max_epochs=max_epochs,
        callbacks=[EpochSeed(seed)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
    )
    start = time.perf_counter()
    trainer.fit(model, module)
    seconds = time.perf_counter() - start
    trainer.limit_val_batches = 1.0
    (scores,) = trainer.validate(model, module, verbose=False)
    return {
        **{
            key: round(scores[f'val/{key}'], 5)
            for key in ('weighted_f1', 'accuracy', 'macro_f1')
        },
        'seconds_per_epoch': round(seconds / max_epochs, 3),
        'num_parameters': sum(p.numel() for p in model.parameters()),
    }


def read(path: Path) -> list[dict[str, Any]]:
    """The runs that there are.

    Args:
        path: The result file.
    """
    return json_lines.read(path)


def table(rows: list[dict[str, Any]]) -> str:
    """The settings as a Markdown table, the best first.

    Args:
        rows: The runs.
    """
    scores: dict[str, list[float]] = {}
    for row in rows:
        scores.setdefault(row['name'], []).append(row['weighted_f1'])
    lines = ['| setting | weighted F1 | runs |', '|---|---|---|']
    for name in sorted(scores, key=lambda name: -mean(scores[name])):
        values = scores[name]
        spread = f' ± {stdev(values):.4f}' if len(values) > 1 else ''
        lines.append(
            f'| {name} | {mean(values):.4f}{spread} | {len(values)} |'
        )
    return '\n'.join(lines)


def main(
    root: str = 'data/webnlg',
    names: list[str] | None = None,
    holdouts: tuple[int, ...] = (0, 1),
    seeds: tuple[int, ...] = (0,),
    path: Path | None = None,
) -> None:
    """Trains what is missing, and prints the table.

    Args:
        root: The folder of the release.
        names: The settings, all if not given.
        holdouts: The holdouts of each setting.
        seeds: The seeds of each holdout.
        path: The result file. (default: the committed one for the default
            holdouts and seeds, one of its own below ``runs`` for others)
    """
    if path is None:
        given = {**locals(), 'names': None}
        path = PATH if is_default(main, given) else OWN_PATH
    print(f'Results: {path}')
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    warnings.filterwarnings('ignore', module='lightning')
    rows = read(path)
    done = {
        (
            json.dumps(row['setting'], sort_keys=True),
            row['holdout'],
            row['seed'],
        )
        for row in rows
        if row['scored'] == 'new'
    }
    datasets: dict[str, WebNLGDataModule] = {}
    for name in names or SETTINGS:
        setting = {**BASE, **SETTINGS[name]}
        features = setting['features']
        for holdout in holdouts:
            for seed in seeds:
                key = json.dumps(setting, sort_keys=True), holdout, seed
                if key in done:
                    continue
                if features not in datasets:
                    datasets[features] = WebNLGDataModule(
                        root, features=features, encoder='offline'
                    )
                    datasets[features].setup()
                row = {
                    'name': name,
                    'holdout': holdout,
                    'seed': seed,
                    **score(setting, holdout, seed, datasets[features]),
                    'scored': 'new',
                    'setting': setting,
                }
                rows.append(row)
                json_lines.append(path, row)
                print(name, holdout, seed, row['weighted_f1'], flush=True)
    print(table(rows))


if __name__ == '__main__':
    run(main)
