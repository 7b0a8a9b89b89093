"""The command ``gmoe``: fit, validate, test, predict, info."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from lightning.pytorch.cli import (
    ArgsType,
    LightningArgumentParser,
    LightningCLI,
    SaveConfigCallback,
)
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from gmoe.training import EpochSeed, PredictionWriter
from gmoe.training.run_dir import RunDir

#: What the model needs to know of the data: attribute and argument.
_LINKS = {
    'name': 'dataset',
    'task_type': 'task_type',
    'eval_metric': 'metric',
    'num_tasks': 'out_channels',
    'node_dims': 'node_dims',
    'edge_dims': 'edge_dims',
}


class SaveFitConfig(SaveConfigCallback):
    """Writes the resolved configuration beside a run that trains."""

    def setup(
        self, trainer: Trainer, pl_module: LightningModule, stage: str
    ) -> None:
        if stage == 'fit':
            super().setup(trainer, pl_module, stage)


class GMoECLI(LightningCLI):
    """LightningCLI with a folder per run.

    Below ``--run_dir``, each ``fit`` makes a folder ``version_N`` with the
    resolved configuration, CSV and TensorBoard logs and the checkpoints
    ``best`` (on validation) and ``last``. ``--ckpt_path last`` or ``best``
    means the newest version's; ``fit`` then goes on inside it.
    """

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument(
            '--run_dir',
            type=str,
            default='runs/gmoe',
            help='The folder of the runs of this configuration.',
        )
        parser.add_lightning_class_args(ModelCheckpoint, 'checkpoint')
        parser.set_defaults(
            {
                'seed_everything': 0,
                'checkpoint.filename': 'best',
                'checkpoint.save_last': True,
                'checkpoint.enable_version_counter': False,
                # After the epoch's training and validation, so that nothing
                # of it is left to do when a run is resumed.
                'checkpoint.save_on_train_epoch_end': True,
            }
        )
        for source, target in _LINKS.items():
            parser.link_arguments(
                f'data.{source}',
                f'model.init_args.{target}',
                apply_on='instantiate',
            )
        parser.link_arguments(
            'data.monitor', 'checkpoint.monitor', apply_on='instantiate'
        )
        parser.link_arguments(
            'data.monitor_mode', 'checkpoint.mode', apply_on='instantiate'
        )

    def before_instantiate_classes(self) -> None:
        if self.subcommand is None:
            return
        config = self.config[self.subcommand]
        self.run_dir = RunDir.choose(
            Path(config.run_dir), self.subcommand, config.ckpt_path
        )
        config.ckpt_path = self.run_dir.ckpt_path
        config.checkpoint.dirpath = str(self.run_dir.path / 'checkpoints')
        if 'weights_only' in config:
            config.weights_only = True  # Never unpickle a checkpoint.

    def instantiate_trainer(self, **kwargs: Any) -> Any:
        if self.subcommand is not None:
            folder = str(self.run_dir.path)
            trainer = self.config_init[self.subcommand].trainer
            if trainer.get('enable_progress_bar') is not False:
                self.trainer_defaults['callbacks'].append(RichProgressBar())
            if self.subcommand == 'predict':
                kwargs['logger'] = False
            elif trainer.get('logger') is None:
                kwargs['logger'] = [
                    TensorBoardLogger(folder, name='', version=''),
                    CSVLogger(folder, name='csv'),
                ]
            kwargs.setdefault('default_root_dir', folder)
        return super().instantiate_trainer(**kwargs)


def run(args: ArgsType = None) -> GMoECLI | None:
    """Runs the command ``gmoe`` from Python.

    Args:
        args: The arguments. (default: those of the command line)

    Returns:
        The finished command, with its ``trainer``, ``model`` and
        ``datamodule``; :obj:`None` for ``info``.
    """
    arguments = sys.argv[1:] if args is None else args
    if isinstance(arguments, list) and arguments[:1] == ['info']:
        from gmoe.training.environment import print_info

        print_info()
        return None
    return GMoECLI(
        LightningModule,
        LightningDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        args=args,
        save_config_callback=SaveFitConfig,
        save_config_kwargs={'overwrite': True},
        trainer_defaults={'callbacks': [EpochSeed(), PredictionWriter()]},
        parser_kwargs={
            'description': __doc__,
        },
    )


def main() -> None:
    """The command ``gmoe``."""
    run()


if __name__ == '__main__':
    main()
