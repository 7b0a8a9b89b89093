"""``gmoe fit … --ensemble 5``: several networks that predict together.

Members are trained one after the other below one folder, ``version_N``. Each
is trained in ``training_I`` and moved to ``member_I`` once it is done, so
that an ensemble that was stopped goes on with the member that it was at.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gmoe.cli.options import CONFIG, given, values, without
from gmoe.cli.packaged import expanded, named
from gmoe.cli.settings import read_settings
from gmoe.common.files import replace_text
from gmoe.common.shown import shown
from gmoe.training.run_dir import RunDir

#: The most members.
MOST = 1000
#: In place of a number: one member for each fold of a cross-validation.
FOLDS = 'folds'
_NUM_FOLDS = 5
#: The file that tells which members there are to be.
_PLAN = 'ensemble.json'
_OPTION = '--ensemble'


def is_ensemble(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for an ensemble.

    Args:
        arguments: The command line, without the name of the program.
    """
    return arguments[:1] == ['fit'] and given(arguments, _OPTION) is not None


def fit_ensemble(
    arguments: Sequence[str], fit: Callable[[list[str]], Any]
) -> Path:
    """Trains the members that are not trained yet.

    Args:
        arguments: The command line, without the name of the program.
        fit: Runs a command line, for one member.

    Returns:
        The folder of the ensemble.

    Raises:
        FileNotFoundError: If there is no ensemble to go on with.
        ValueError: If an option is out of range, or differs from that of the
            ensemble that is to go on.
    """
    if int(os.environ.get('WORLD_SIZE', 1)) > 1:
        raise ValueError(
            "'ensemble' must be left out where several processes train one "
            'network: train each member on its own, with another '
            "'seed_everything'"
        )
    # A table in place of a configuration, and names of the package's.
    arguments = expanded(arguments)
    wanted = given(arguments, _OPTION) or ''
    plain = without(arguments, _OPTION, '--ckpt_path', '--run_dir')
    members = member_arguments(plain, wanted)
    root = Path(
        given(arguments, '--run_dir')
        or _setting(plain, 'run_dir', 'runs/gmoe')
    )
    folder, made = _folder(root, given(arguments, '--ckpt_path'), members)
    try:
        for number, member in enumerate(members):
            _fit_member(folder, number, member, fit)
    except BaseException:
        _discard(folder, made)
        raise
    print(f'The ensemble of {len(members)} networks is in {folder}')
    print(f'Predict with it: gmoe predict {shlex.quote(str(folder))} new.csv')
    return folder


def member_arguments(arguments: Sequence[str], wanted: str) -> list[list[str]]:
    """The command line of each member: of several seeds, one after the other
    from ``seed_everything`` on, or of the folds of a cross-validation.

    Args:
        arguments: The command line, without those of the ensemble.
        wanted: The number of members, or ``'folds'``.

    Raises:
        ValueError: If it is neither.
    """
    seed = given(arguments, '--seed_everything')
    first = int(seed) if seed and seed.isdigit() else None
    if first is None:
        found = _setting(arguments, 'seed_everything', 0)
        first = found if isinstance(found, int) else 0
    plain = without(arguments, '--seed_everything')
    if wanted == FOLDS:
        folds = given(plain, '--data.folds') or str(_NUM_FOLDS)
        count = int(folds) if folds.isdigit() else 0
        if given(plain, '--data.fold') is not None or count < 2:
            raise ValueError(
                "'data.fold' must be left out for an ensemble of folds, and "
                f"'data.folds' be a number of them, got {shown(folds)}"
            )
        plain = without(plain, '--data.folds')
        extra = [
            [f'--data.folds={count}', f'--data.fold={i}'] for i in range(count)
        ]
    else:
        count = int(wanted) if re.fullmatch(r'\d{1,4}', wanted) else 0
        extra = [[] for _ in range(count)]
        if not 2 <= count <= MOST:
            raise ValueError(
                f"'ensemble' must be an integer from 2 to {MOST}, or "
                f"'{FOLDS}', got {shown(wanted)}"
            )
    return [
        [*plain, *more, f'--seed_everything={first + i}']
        for i, more in enumerate(extra)
    ]


def _setting(arguments: Sequence[str], name: str, default: Any) -> Any:
    """A setting of the configurations that a command line names."""
    found = default
    for path in filter(None, values(arguments, *CONFIG)):
        setting = read_settings('config', path).get(name)
        found = found if setting is None else setting
    return found


def _folder(
    root: Path, ckpt_path: str | None, members: list[list[str]]
) -> tuple[Path, tuple[Path, ...]]:
    root = root.expanduser()
    members = [named(member) for member in members]
    if ckpt_path is None:
        run = RunDir.choose(root, 'fit', None)
        # Members have versions of their own.
        os.environ.pop('GMOE_RUN_VERSION', None)
        plan = json.dumps({'members': members}, indent=1)
        replace_text(run.path / _PLAN, f'{plan}\n')
        return run.path, run.made
    if ckpt_path != 'last':
        raise ValueError(
            "'ckpt_path' must be 'last' for an ensemble to go on, got "
            f'{shown(ckpt_path)}'
        )
    numbers = [
        int(found[1])
        for path in root.glob(f'version_*/{_PLAN}')
        if (found := re.fullmatch(r'version_(\d+)', path.parent.name))
    ]
    if not numbers:
        raise FileNotFoundError(
            "'ckpt_path' must be left out, as there is no ensemble below "
            f"'{root}' to go on with, got 'last'"
        )
    folder = root / f'version_{max(numbers)}'
    try:
        before = json.loads((folder / _PLAN).read_text())['members']
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"'{folder / _PLAN}' must be what 'gmoe fit {_OPTION}' has "
            'written, got something else'
        ) from error
    if before != members:
        raise ValueError(
            f"the arguments must be those that the ensemble in '{folder}' was "
            f'started with, {shown(shlex.join(before[0][1:]), 300)} for its '
            f'first member of {len(before)}, got '
            f'{shown(shlex.join(members[0][1:]), 300)} of {len(members)}'
        )
    return folder, ()


def _fit_member(
    folder: Path,
    number: int,
    arguments: list[str],
    fit: Callable[[list[str]], Any],
) -> None:
    done, training = folder / f'member_{number}', folder / f'training_{number}'
    if done.is_dir():
        print(f'{done} is trained already', file=sys.stderr)
        return
    print(f'Trains member {number} of the ensemble', file=sys.stderr)
    arguments = [*arguments, f'--run_dir={training}']
    if list(training.glob('version_*/checkpoints/last.ckpt')):
        arguments.append('--ckpt_path=last')
    else:
        shutil.rmtree(training, ignore_errors=True)
    fit(arguments)
    os.environ.pop('GMOE_RUN_VERSION', None)
    (trained,) = training.glob('version_*')
    os.rename(trained, done)
    training.rmdir()


def _discard(folder: Path, made: Sequence[Path]) -> None:
    """Removes what was made for an ensemble without any epoch."""
    if not made or [path.name for path in folder.iterdir()] != [_PLAN]:
        return
    (folder / _PLAN).unlink()
    with contextlib.suppress(OSError):
        for path in reversed(made):
            path.rmdir()
