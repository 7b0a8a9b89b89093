"""LightningCLI as the command ``gmoe`` has it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.cli import (
    ArgsType,
    LightningArgumentParser,
    LightningCLI,
    SaveConfigCallback,
)
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.plugins import CheckpointIO

from gmoe.cli.data_settings import DataSettings, OtherDataError
from gmoe.cli.finish import finish_fit
from gmoe.cli.initial import (
    InitialNetwork,
    add_initial_arguments,
    without_decided,
)
from gmoe.cli.packaged import expanded
from gmoe.cli.parser import Parser
from gmoe.cli.settings import check_files, check_kinds, expand_home, run_of
from gmoe.common.shown import one_line
from gmoe.molecules.calibration_writer import CalibrationWriter
from gmoe.training.callbacks import (
    AveragedWeights,
    BestCheckpoint,
    EarlyStop,
    LastCheckpoint,
    ParameterCount,
    SkippedRows,
)
from gmoe.training.checkpoint import check_weights, read_checkpoint
from gmoe.training.run_dir import RunDir
from gmoe.training.run_settings import (
    CARRIED,
    RunSettings,
    as_setting,
    check_given,
    plain,
    run_settings,
    trained_model,
)
from gmoe.training.whole_checkpoints import WholeCheckpoints


class SaveFitConfig(SaveConfigCallback):
    """Writes the resolved configuration beside a run once it trains."""

    def setup(
        self, trainer: Trainer, pl_module: LightningModule, stage: str
    ) -> None:
        """Nothing yet: what is refused leaves the file as it is."""

    def on_train_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        super().setup(trainer, pl_module, 'fit')


class GMoECLI(LightningCLI):
    """LightningCLI with a folder per run.

    Below ``--run_dir``, each ``fit`` makes a folder ``version_N`` with the
    resolved configuration, CSV and TensorBoard logs and the checkpoints
    ``best`` (on validation) and ``last`` (of each epoch). ``--ckpt_path last``
    or ``best`` means the newest version's; ``fit`` then goes on inside it.
    """

    run_dir: RunDir | None = None
    #: The checkpoint that a command starts from.
    checkpoint: dict[str, Any] | None = None
    #: The network whose weights a new training begins with.
    initial: InitialNetwork | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.data_settings = DataSettings()
        try:
            super().__init__(*args, **kwargs)
        except BaseException:
            if self.run_dir is not None:
                trainer = getattr(self, 'trainer', None)
                has_trained = trainer is not None and trainer.global_step > 0
                self.run_dir.discard(is_refused=not has_trained)
            raise
        if self.run_dir is not None:
            self.run_dir.discard()

    def add_core_arguments_to_parser(
        self, parser: LightningArgumentParser
    ) -> None:
        super().add_core_arguments_to_parser(parser)
        # Not as a callback of the trainer's: there may be none.
        parser.add_class_arguments(
            BestCheckpoint, 'checkpoint', fail_untyped=False, sub_configs=True
        )
        parser.add_class_arguments(EarlyStop, 'early_stopping')
        parser.add_class_arguments(AveragedWeights, 'averaging')

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument(
            '--run_dir',
            type=str,
            default='runs/gmoe',
            help='The folder of the runs of this configuration.',
        )
        add_initial_arguments(parser)
        assert isinstance(self.parser, Parser)
        assert isinstance(parser, Parser)
        self.parser.commands.append(parser)
        parser.linked = DataSettings.names
        parser.set_defaults(
            {
                'seed_everything': 0,
                'checkpoint.filename': 'best',
                'checkpoint.enable_version_counter': False,
                'checkpoint.save_on_train_epoch_end': True,
            }
        )
        self.data_settings.link(parser)

    @property
    def _ckpt_path(self) -> str:
        return (self.run_dir and self.run_dir.ckpt_path) or ''

    def parse_arguments(
        self, parser: LightningArgumentParser, args: ArgsType
    ) -> None:
        args = sys.argv[1:] if args is None else args
        if isinstance(args, list):
            args = expanded(args)
            check_files(args)
        self.config = _parsed(parser, args)
        command = self.config.subcommand
        config = self.config[command]
        given = plain(_parsed(parser, args, defaults=False)[command])
        self.data_settings.take_given(given.get('model') or {})
        root = Path(config.run_dir)
        newest = (
            ('last', 'best') if command == 'fit' else (None, 'last', 'best')
        )
        if isinstance(args, list) and config.ckpt_path in newest:
            root = run_of(args) or root
        self.run_dir = RunDir.choose(root, command, config.ckpt_path)
        if self._ckpt_path:
            self._take_settings(given, self._ckpt_path)
        elif command == 'fit' and config.init_from is not None:
            self.initial = InitialNetwork(config)
        # Lightning, too, would take settings from a checkpoint: all of them.
        config.ckpt_path = None

    def _take_settings(self, given: dict[str, Any], path: str) -> None:
        """Takes the settings that the checkpoint carries; see
        :mod:`gmoe.training.run_settings`."""
        config = self.config[self.config.subcommand]
        is_fit = self.config.subcommand == 'fit'
        self.checkpoint = read_checkpoint(path, resume=is_fit)
        self.data_settings.take_trained(
            self.checkpoint['hyper_parameters'], path
        )
        model = trained_model(self.checkpoint, config.model, path)
        if is_fit and config.init_from is not None:
            arguments = given['model'].get('init_args', {})
            given['model']['init_args'] = without_decided(arguments)
        check_given(given['model'], plain(model), 'model', path)
        config.model = model
        settings = run_settings(self.checkpoint) if is_fit else {}
        for name in CARRIED:
            if name in settings:
                if name in given:
                    check_given(given[name], settings[name], name, path)
                config[name] = as_setting(settings[name])

    def before_instantiate_classes(self) -> None:
        if self.run_dir is None:
            return
        config = self.config[self.subcommand]
        check_kinds(config)
        for name in ('max_epochs', 'max_steps'):
            if self.subcommand == 'fit' and config.trainer.get(name) == 0:
                raise ValueError(
                    f"'trainer.{name}' must be at least 1 to train, or -1 for "
                    'no limit, got 0'
                )
        given = {
            'checkpoint.dirpath': config.checkpoint.dirpath,
            'trainer.default_root_dir': config.trainer.default_root_dir,
        }
        for name, folder in given.items():
            # The configuration that a run writes names the run's own folder.
            is_run = re.search(r'version_\d+/checkpoints$', str(folder))
            if folder is not None and not is_run:
                raise ValueError(
                    f"'{name}' must be left out, as all of a run lies below "
                    f"'run_dir', got {one_line(folder)!r}"
                )
        config.ckpt_path = self.run_dir.ckpt_path
        config.checkpoint.dirpath = str(self.run_dir.path / 'checkpoints')
        if 'weights_only' in config:
            config.weights_only = True  # Never unpickle a checkpoint.

    def instantiate_classes(self) -> None:
        try:
            super().instantiate_classes()
        except ValueError as error:
            # The parser wraps what a link of arguments raises.
            if isinstance(error.__cause__, OtherDataError):
                raise error.__cause__ from None
            raise

    def after_instantiate_classes(self) -> None:
        if self.checkpoint is not None:
            check_weights(self.model, self.checkpoint, self._ckpt_path)
        elif self.initial is not None:
            self.initial.give(self.model)

    def after_fit(self) -> None:
        """Scores the test part of molecules, and says where the run is."""
        assert self.run_dir is not None
        finish_fit(self.trainer, self.model, self.datamodule, self.run_dir)

    def instantiate_trainer(self, **kwargs: Any) -> Any:
        """The trainer, with what each run of gmoe has."""
        assert self.run_dir is not None
        folder = str(self.run_dir.path)
        config = self.config_init[self.subcommand]
        callbacks = self.trainer_defaults['callbacks']
        settings = plain(self.config[self.subcommand])
        callbacks.append(RunSettings(settings, self.subcommand == 'fit'))
        callbacks += [
            callback
            for callback in (config.early_stopping, config.averaging)
            if callback.is_on
        ]
        if config.trainer.get('enable_checkpointing') is not False:
            callbacks.append(config.checkpoint)
            # After the one for the best epoch, whose state it saves.
            callbacks.append(LastCheckpoint(config.checkpoint.dirpath))
        callbacks.append(SkippedRows(folder))
        if config.trainer.get('enable_progress_bar') is not False:
            callbacks.append(RichProgressBar())
        if config.trainer.get('enable_model_summary') is not False:
            callbacks.append(ParameterCount())
            kwargs['enable_model_summary'] = False
        if self.subcommand == 'predict':
            kwargs['logger'] = False
        elif config.trainer.get('logger') is None:
            kwargs['logger'] = [
                TensorBoardLogger(folder, name='', version=''),
                CSVLogger(folder, name='csv'),
            ]
        if self.subcommand == 'fit':
            callbacks.append(CalibrationWriter(folder))
        kwargs.setdefault('default_root_dir', folder)
        plugins = config.trainer.get('plugins') or []
        plugins = plugins if isinstance(plugins, list) else [plugins]
        if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
            kwargs['plugins'] = [*plugins, WholeCheckpoints()]
        try:
            return super().instantiate_trainer(**kwargs)
        except Exception as error:
            # Whatever it says, it is about the settings that it was given.
            raise ValueError(
                f"'trainer' must have settings that go together on this "
                f'machine, got: {one_line(error, 300)}'
            ) from error


def _parsed(
    parser: LightningArgumentParser, args: ArgsType, defaults: bool = True
) -> Namespace:
    # Lightning's own would warn that arguments are given twice.
    if isinstance(args, (dict, Namespace)):
        parse = parser.parse_object
    else:
        parse = parser.parse_args
    return expand_home(parse(args, defaults=defaults))
