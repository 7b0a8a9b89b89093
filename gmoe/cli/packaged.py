"""Configurations that come with gmoe, and a table in place of one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

#: Where they are: a folder of the package, ``configs/`` of the repository.
FOLDER = Path(__file__).parents[1] / 'molecules' / 'configs'
#: The one for a table of molecules without any other.
DEFAULT = 'csv'
#: The commands that take a table in place of a configuration.
COMMANDS = ('fit',)

_NAME = re.compile(r'(?:configs/)?molecules/([a-z]+)(?:\.yaml)?')
_CONFIG = re.compile(r'(?:--config|-c)(?:=(.*))?', re.DOTALL)


def expanded(arguments: Sequence[str]) -> list[str]:
    """Writes out a command line that names a table of molecules, or
    configurations of the package::

        gmoe fit my.csv --trainer.max_epochs 10
        gmoe fit --config molecules/single --data.path my.csv

    A table is ``--data.path``, of the configuration ``molecules/csv`` if no
    other is given, with runs in a folder of the table's name. A name such as
    ``molecules/csv`` is the package's configuration, unless there is a file
    of that name.

    Args:
        arguments: The command line, without the name of the program.

    Raises:
        ValueError: If there is no such configuration in the package.
    """
    out = [*arguments[:1]]
    rest = list(arguments[1:])
    table = None
    if out and out[0] in COMMANDS and rest and not rest[0].startswith('-'):
        table = rest.pop(0)
        # Before the rest, which may say something else.
        if not any(_CONFIG.fullmatch(argument) for argument in rest):
            out += ['--config', str(FOLDER / f'{DEFAULT}.yaml')]
    is_value = False
    for argument in rest:
        found = _CONFIG.fullmatch(argument)
        if is_value:
            out.append(_located(argument))
        elif found and found[1] is not None:
            out.append(f'--config={_located(found[1])}')
        else:
            out.append(argument)
        is_value = bool(found) and found[1] is None  # type: ignore[index]
    if table is not None:
        out += ['--data.path', table]
        if not any(a.split('=')[0] == '--run_dir' for a in rest):
            out += ['--run_dir', f'runs/{_stem(table)}']
    return out


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
