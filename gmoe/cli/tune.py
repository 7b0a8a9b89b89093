"""The command ``gmoe tune``: settings that are best on validation."""

from __future__ import annotations

import argparse
import copy
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import Namespace

from gmoe.cli import options
from gmoe.cli.command import run
from gmoe.cli.graph_cli import GMoECLI
from gmoe.cli.own import OWN
from gmoe.cli.quiet import be_quiet
from gmoe.cli.settings import read_settings
from gmoe.common.arguments import check_integer
from gmoe.common.require import require
from gmoe.common.shown import one_line
from gmoe.training.run_settings import named, plain
from gmoe.training.tuning import (
    Job,
    Resources,
    Space,
    StoppedError,
    Study,
    as_options,
    default_space,
    search,
)

#: What trials leave out: the test split is for the end.
_LEFT_OUT = ('data.test_curve', 'data.score_test', 'data.log')
#: Options of ``fit`` that trials cannot have.
_NO_TRIALS = ('ensemble', 'ckpt_path', 'init_from')
#: Of Lightning.
_LOGGERS = ('fabric', 'pytorch')
#: What a search does not choose, as it is the same for all its trials.
_PARTS = ('seed_everything', 'model', 'data', 'trainer')


class DryRun(GMoECLI):
    """A ``fit`` that is made ready, with its network and data, and not run.

    Its folder of runs is left as it is.
    """

    #: The settings as they were given.
    resolved: Namespace

    def before_instantiate_classes(self) -> None:
        self.resolved = copy.deepcopy(self.config[self.subcommand])
        super().before_instantiate_classes()

    def _run_subcommand(self, subcommand: str) -> None:
        pass

    def settings(self) -> dict[str, Any]:
        """All settings by their names on the command line."""
        return {
            name: value
            for part in _PARTS
            for name, value in named(plain(self.resolved.get(part)), part)
        }

    def text(self) -> str:
        """The settings as a file that ``fit`` takes."""
        parser = self._parser('fit')
        return str(parser.dump(self.resolved, skip_none=False))


def main(arguments: list[str]) -> None:
    """Searches, writes the table of trials and the best configuration, and
    prints where they are.

    Args:
        arguments: The rest of the command line.

    Raises:
        ValueError: If an argument is refused, or no trial came to a score.
    """
    given, rest = _parser().parse_known_args(arguments)
    check_integer(1, trials=given.trials)
    check_integer(0, seed=given.seed)
    if given.asha is not None:
        check_integer(1, asha=given.asha)
    for name in _NO_TRIALS:
        if options.given(rest, f'--{name}') is not None:
            raise ValueError(
                f"'{name}' must be left out of a search, whose trials are "
                'single networks from their start: it is for the gmoe fit of '
                'the best settings'
            )
    resources = Resources(
        given.address, given.workers, given.cores, given.gpus, given.memory
    )
    for name in ('ray.tune', 'optuna'):
        require(name, 'cluster')
    be_quiet()
    start = _dry_run(rest)
    settings = start.settings()
    if given.space is None:
        space = default_space(settings)
    else:
        space = Space.from_dict(read_settings('space', given.space))
    for point in space.ends():
        _dry_run([*rest, *as_options(space.settings(point))])
    data = start.datamodule
    data.prepare_data()  # Once, before trials do it at the same time.
    data.setup('fit')
    study = Study(
        Path(given.study or f'{start.resolved.run_dir}-tune'),
        space,
        settings,
        data.monitor,
        data.monitor_mode,
        given.seed,
    )
    fixed = [
        *rest,
        '--trainer.enable_progress_bar=false',
        '--trainer.enable_model_summary=false',
        '--trainer.enable_checkpointing=true',
    ]
    fixed += [f'--{name}=false' for name in _LEFT_OUT if name in settings]
    job = Job(
        tuple(fixed),
        study.folder.absolute(),
        Path.cwd(),
        resources.cores,
        given.asha is not None,
    )
    with study.locked():
        _say_start(study, given.trials)
        try:
            search(study, given.trials, job, run, resources, given.asha)
        except (KeyboardInterrupt, StoppedError) as error:
            number = getattr(error, 'number', 2)
        else:
            number = 0
        if number:
            _stop(study, given.trials, number)
        _finish(study, rest)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog='gmoe tune',
        usage='gmoe tune [TABLE.csv] [--config FILE] [options, also of fit]',
        description=OWN['tune'].help,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add('--trials', type=int, default=30, help='How many. (default: 30)')
    add('--space', help='A file of settings and their values.')
    add('--study', help='The folder. (default: that of the runs, and -tune)')
    add('--seed', type=int, default=0, help='Of the search. (default: 0)')
    add(
        '--asha',
        type=int,
        metavar='EPOCHS',
        help='Stop poor trials early, after this many epochs at least.',
    )
    add('--workers', type=int, help='Trials at a time. (default: all cores)')
    add('--cores', type=int, default=1, help='Of a trial. (default: 1)')
    add('--gpus', type=float, default=0.0, help='Of a trial. (default: 0)')
    add('--memory', type=float, help='Of a trial, in GiB.')
    add(
        '--ray.address',
        dest='address',
        default='local',
        help="Of a cluster of Ray, or 'auto'. (default: this machine)",
    )
    return parser


class _Parser(argparse.ArgumentParser):
    """Refuses with one line."""

    def error(self, message: str) -> NoReturn:
        print(f'gmoe: error: {one_line(message, 200)}', file=sys.stderr)
        sys.exit(2)


def _dry_run(arguments: Sequence[str]) -> DryRun:
    # What it says of the seed and of devices is said of no run.
    loggers = [logging.getLogger(f'lightning.{n}') for n in _LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        cli = run(['fit', *arguments], DryRun)
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
    assert isinstance(cli, DryRun)
    return cli


def _say_start(study: Study, trials: int) -> None:
    over = len(study.over)
    print(
        f'{trials} trials in {study.path}, {over} of them over: the best '
        f'{study.monitor} ({study.mode}) over {", ".join(study.space.names)}'
    )
    if study.start is None and not study.trials:
        print(
            'The configuration itself is no trial, as the space does not '
            'hold all of its values'
        )


def _finish(study: Study, arguments: Sequence[str]) -> None:
    over = study.over
    failed = [trial for trial in over if trial.status == 'failed']
    stopped = sum(trial.status == 'stopped' for trial in over)
    print(
        f'{len(over)} trials: {len(over) - len(failed)} with a score '
        f'({stopped} of them stopped early), {len(failed)} failed; '
        f'{study.table} has them all'
    )
    best = study.best
    if best is None:
        raise ValueError(
            f"'space' must have settings that can be trained: all "
            f'{len(failed)} trials failed, the first as {failed[0].reason}'
        )
    chosen = as_options(best.settings)
    path = study.write_best(_dry_run([*arguments, *chosen]).text(), best)
    first = study.trials[0]
    if study.start == first.point and first.score is not None:
        print(f'The configuration itself: {study.monitor} {first.score:.6g}')
    print(f'The best, {best.name}: {study.monitor} {best.score:.6g}')
    for option in chosen:
        print(f'  {option}')
    print(f'gmoe fit --config {path}')


def _stop(study: Study, trials: int, number: int) -> NoReturn:
    print(
        f'gmoe: stopped after {len(study.over)} of {trials} trials: the same '
        'command goes on',
        file=sys.stderr,
    )
    sys.exit(128 + number)
