"""The command ``gmoe``: fit, validate, test, predict, info."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
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

import gmoe
from gmoe.training import EpochSeed, LastCheckpoint, PredictionWriter
from gmoe.training.run_dir import RunDir

#: What the model needs to know of the data: attribute and argument.
_LINKS = {
    'name': 'dataset',
    'task_type': 'task_type',
    'eval_metric': 'metric',
    'num_tasks': 'out_channels',
    'node_dims': 'node_dims',
    'edge_dims': 'edge_dims',
    'text_channels': 'text_channels',
    'features_name': 'features',
}
_DESCRIPTION = 'Trains and evaluates graph mixtures of experts.'
_INFO = 'Prints versions, back end and devices.'
_DEBUG = 'GMOE_DEBUG'


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
    ``best`` (on validation) and ``last`` (of each epoch). ``--ckpt_path last``
    or ``best`` means the newest version's; ``fit`` then goes on inside it.
    """

    run_dir: RunDir | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().__init__(*args, **kwargs)
        except BaseException:
            if self.run_dir is not None:
                self.run_dir.discard()
            raise

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
                'checkpoint.enable_version_counter': False,
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
        if self.run_dir is not None:
            folder = str(self.run_dir.path)
            trainer = self.config_init[self.subcommand].trainer
            # After the one for the best epoch, whose state it saves.
            self.trainer_defaults['callbacks'].append(
                LastCheckpoint(self.run_dir.path / 'checkpoints')
            )
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

        parser = argparse.ArgumentParser('gmoe info', description=_INFO)
        parser.parse_args(arguments[1:])
        print_info()
        return None
    usage = {
        name: {'usage': f'gmoe {name} [--config FILE] [options]'}
        for name in GMoECLI.subcommands()
    }
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
            'prog': 'gmoe',
            'description': _DESCRIPTION,
            'epilog': f"'gmoe info': {_INFO}",
            **usage,
        },
    )


def main() -> None:
    """The command ``gmoe``.

    What gmoe refuses ends it with a message and the status 2. The environment
    variable ``GMOE_DEBUG`` asks for the traceback, which any other error
    shows anyway.
    """
    try:
        run()
    except Exception as error:
        message = _refusal(error)
        if message is None or os.environ.get(_DEBUG):
            raise
        print(f'gmoe: error: {message}', file=sys.stderr)
        sys.exit(2)


def _refusal(error: BaseException | None) -> str | None:
    """The message of what gmoe itself has raised, behind what wraps it."""
    package = Path(gmoe.__file__).parent
    while error is not None:
        for frame in traceback.extract_tb(error.__traceback__)[-1:]:
            # A mistake in a line of gmoe is no refusal.
            raised = (frame.line or '').startswith('raise ')
            if raised and Path(frame.filename).is_relative_to(package):
                return str(error)
        error = error.__cause__ or error.__context__
    return None


if __name__ == '__main__':
    main()
