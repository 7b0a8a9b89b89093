"""Configurations that come with gmoe, and a table in place of one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gmoe.cli.options import CONFIG, given, parts
from gmoe.common.shown import shown

#: Where they are: a folder of the package, ``configs/`` of the repository.
FOLDER = Path(__file__).parents[1] / 'molecules' / 'configs'
#: The one for a table of molecules without any other.
DEFAULT = 'csv'
#: The commands that take a table in place of a configuration.
COMMANDS = ('fit',)

_NAME = re.compile(r'(?:configs/)?molecules/([a-z]+)(?:\.yaml)?')


def expanded(arguments: Sequence[str]) -> list[str]:
    """Writes out a command line that names a table of molecules, or
    configurations of the package::

        gmoe fit my.csv --trainer.max_epochs 10
        gmoe fit --config molecules/single --data.path my.csv

    A table is ``--data.path``, of the configuration ``molecules/csv`` if no
    other is given, with runs in a folder of the table's name. Options then
    win over configurations wherever these stand. A name such as
    ``molecules/csv`` is the package's configuration, unless there is a file
    of that name.

    Args:
        arguments: The command line, without the name of the program.

    Raises:
        ValueError: If there is no such configuration in the package, or no
            file is named in place of a table.
    """
    command, rest = list(arguments[:1]), list(arguments[1:])
    table = None
    if command and command[0] in COMMANDS and rest:
        if rest[0] in ('', '-'):
            raise ValueError(
                "'path' must be a file, whose name is kept with the run, got "
                f'{shown(rest[0])}'
            )
        if not rest[0].startswith('-'):
            table = rest.pop(0)
    found = [
        (name, _located(value) if name and value else value)
        for name, value in parts(rest, *CONFIG)
    ]
    if table is not None:
        if not any(name for name, _ in found):
            found.append((CONFIG[0], str(FOLDER / f'{DEFAULT}.yaml')))
        # Files come before options, which may say something else.
        found.sort(key=lambda part: not part[0])
        found.append(('--data.path', table))
        if given(rest, '--run_dir') is None:
            found.append(('--run_dir', f'runs/{_stem(table)}'))
    for name, value in found:
        command += [name, value] if name and value else [name or value]
    return command


def named(arguments: Sequence[str]) -> list[str]:
    """The same command line wherever gmoe is installed: configurations of the
    package by their names.

    Args:
        arguments: A command line that is written out.
    """
    files = {str(p): f'molecules/{p.stem}' for p in FOLDER.glob('*.yaml')}
    return [files.get(argument, argument) for argument in arguments]


def _located(name: str) -> str:
    """The path of a configuration."""
    found = _NAME.fullmatch(name)
    if found is None or Path(name).exists():
        return name
    path = FOLDER / f'{found[1]}.yaml'
    if not path.is_file():
        names = sorted(p.stem for p in FOLDER.glob('*.yaml'))
        raise ValueError(
            f"'config' must be a file, or 'molecules/' and one of {names}, "
            f"got '{name}'"
        )
    return str(path)


def _stem(table: str) -> str:
    name = Path(table).name.split('.')[0]
    return re.sub(r'[^\w-]+', '_', name) or 'molecules'
