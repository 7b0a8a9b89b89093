"""The command ``gmoe``: fit, validate, test, predict, info."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import ArgsType
from lightning.pytorch.utilities.exceptions import SIGTERMException

from gmoe.cli.ensemble import fit_ensemble, is_ensemble
from gmoe.cli.graph_cli import GMoECLI, SaveFitConfig
from gmoe.cli.own import OWN, is_own, run_own
from gmoe.cli.packaged import COMMANDS
from gmoe.cli.parser import DEBUG, Parser
from gmoe.cli.quiet import be_quiet, plain_warnings
from gmoe.cli.refusal import refusal
from gmoe.training import EpochSeed, PredictionWriter
from gmoe.training.callbacks import RoutingWriter

_DESCRIPTION = 'Trains and evaluates graph mixtures of experts.'


def run(
    args: ArgsType = None, kind: type[GMoECLI] = GMoECLI
) -> GMoECLI | None:
    """Runs the command ``gmoe`` from Python.

    Args:
        args: The arguments. (default: those of the command line)
        kind: What runs Lightning's commands.

    Returns:
        The finished command, with its ``trainer``, ``model`` and
        ``datamodule``; :obj:`None` for the commands that
        are not Lightning's, such as ``info``.
    """
    arguments = sys.argv[1:] if args is None else args
    if isinstance(arguments, list) and is_own(arguments):
        run_own(arguments)
        return None
    if isinstance(arguments, list) and is_ensemble(arguments):
        fit_ensemble(arguments, run)
        return None
    be_quiet()
    usage = {
        name: {'usage': f'gmoe {name} {_table(name)}[--config FILE] [options]'}
        for name in GMoECLI.subcommands()
    }
    return kind(
        LightningModule,
        LightningDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        args=args,
        parser_class=Parser,
        save_config_callback=SaveFitConfig,
        save_config_kwargs={'overwrite': True},
        trainer_defaults={
            'callbacks': [EpochSeed(), RoutingWriter(), PredictionWriter()]
        },
        parser_kwargs={
            'prog': 'gmoe',
            'description': _DESCRIPTION,
            'epilog': '\n'.join(
                [
                    *(f"'gmoe {n}': {own.help}" for n, own in OWN.items()),
                    "'gmoe fit … --ensemble 5': Trains several seeds, or "
                    "'folds', that predict together.",
                ]
            ),
            **usage,
        },
    )


def _table(command: str) -> str:
    return '[TABLE.csv] ' if command in COMMANDS else ''


def main() -> None:
    """The command ``gmoe``.

    It ends with one line and the status 2 if gmoe refuses an input, and with
    128 plus the signal's number if a signal stops it. The environment variable
    ``GMOE_DEBUG`` asks for the traceback, which any other error shows anyway.
    """
    try:
        with plain_warnings():
            run()
    except KeyboardInterrupt:
        _stop(signal.SIGINT)
    except SIGTERMException:
        _stop(signal.SIGTERM)
    except SystemExit as error:
        # Lightning ends so after an interrupt.
        if isinstance(error.__context__, KeyboardInterrupt):
            _stop(signal.SIGINT)
        raise
    except Exception as error:
        message = refusal(error)
        if message is None or os.environ.get(DEBUG):
            raise
        print(f'gmoe: error: {message}', file=sys.stderr)
        sys.exit(2)


def _stop(number: signal.Signals) -> NoReturn:
    line = f'gmoe: stopped by {number.name}'
    if sys.argv[1:2] == ['fit']:
        line += (
            ': --ckpt_path last goes on from the last epoch that was finished'
        )
    print(line, file=sys.stderr)
    sys.exit(128 + number)
