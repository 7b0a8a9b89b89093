"""Trains one configuration on one OGB molecule dataset and records the run.

    python -m benchmarks.molecules molbbbp-gcn --root $GMOE_DATA_ROOT/ogb

The model is selected on validation; the test score at that epoch is the
result. The same command goes on where an interrupted run stopped.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml
from jsonargparse import auto_cli

from benchmarks.curve import read_curve
from benchmarks.epoch_timer import EpochTimer
from benchmarks.record import RESULTS, ROOT, provenance, write_result
from gmoe import cli

CONFIGS = ROOT / 'configs' / 'ogb'


def main(
    experiment: str,
    root: str = 'data/ogb',
    seed: int = 0,
    max_epochs: int | None = None,
    cache_dir: str | None = None,
    drop_nodes: float = 0.0,
    results: Path = RESULTS,
) -> None:
    """Trains, tests and records one run.

    Args:
        experiment: The name of a file of ``configs/ogb``.
        root: The folder of the OGB datasets.
        seed: The seed.
        max_epochs: Overrides the configuration's.
        cache_dir: Where parsed datasets are kept.
        drop_nodes: The share of nodes that are dropped in training.
        results: The folder of the result file.
    """
    config = CONFIGS / f'{experiment}.yaml'
    if not config.is_file():
        known = sorted(path.stem for path in CONFIGS.glob('*.yaml'))
        raise SystemExit(
            f"'experiment' must be one of {known}, got '{experiment}'"
        )
    name = f'{experiment}-seed{seed}'
    if drop_nodes:
        name += f'-drop{drop_nodes}'
    run_root = Path('runs') / 'molecules' / name
    arguments = [
        'fit',
        f'--config={config}',
        f'--run_dir={run_root}',
        f'--seed_everything={seed}',
        f'--data.root={root}',
        f'--data.drop_nodes={drop_nodes}',
        '--trainer.callbacks+=benchmarks.epoch_timer.EpochTimer',
        '--trainer.enable_progress_bar=false',
    ]
    if cache_dir is not None:
        arguments.append(f'--data.cache_dir={cache_dir}')
    if max_epochs is not None:
        arguments.append(f'--trainer.max_epochs={max_epochs}')
    if list(run_root.glob('version_*/checkpoints/last.ckpt')):
        arguments.append('--ckpt_path=last')
    record = provenance()
    sys.argv = sys.argv[:1]  # Lightning warns of arguments in two places.
    done = cli.run(arguments)
    assert done is not None
    trainer, data = done.trainer, done.datamodule
    best = trainer.checkpoint_callback
    test = trainer.test(
        datamodule=data, ckpt_path='best', weights_only=True, verbose=False
    )[0]
    timer = next(c for c in trainer.callbacks if isinstance(c, EpochTimer))
    metric = data.eval_metric
    curve = read_curve(
        done.run_dir.path.glob('csv/version_*/metrics.csv'), metric
    )
    best_epoch = next(
        row['epoch']
        for row in curve
        if abs(row['valid'] - float(best.best_model_score)) < 1e-5
    )
    config_file = done.run_dir.path / 'config.yaml'
    settings = yaml.safe_load(config_file.read_text())
    result = {
        'name': name,
        'dataset': data.name,
        'metric': metric,
        'seed': seed,
        'valid': float(best.best_model_score),
        'test': float(test[f'test/{metric}']),
        'best_epoch': int(best_epoch),
        'num_parameters': sum(p.numel() for p in done.model.parameters()),
        'train_seconds_per_epoch': round(
            sum(timer.train_seconds.values()) / len(timer.train_seconds), 3
        ),
        **record,
        'model': settings['model']['init_args'],
        'data': {
            key: value
            for key, value in settings['data']['init_args'].items()
            if key not in ('root', 'cache_dir')
        },
        'epochs': curve,
    }
    print(f'Wrote {write_result(results, name, result)}')


if __name__ == '__main__':
    auto_cli(main)
