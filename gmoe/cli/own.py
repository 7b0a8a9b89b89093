"""The commands that are not Lightning's, each in a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple


class _Command(NamedTuple):
    """A command: where its ``main(arguments)`` is, and what it does."""

    module: str
    help: str


#: Read when they are run: most import packages that take seconds.
OWN = {
    'export': _Command(
        'gmoe.cli.export',
        'Writes a trained network to a folder for others: gmoe export RUN '
        'FOLDER.',
    ),
    'explain': _Command(
        'gmoe.cli.explain',
        'Explains predictions for molecules: gmoe explain MODEL new.csv.',
    ),
    'info': _Command(
        'gmoe.cli.info', 'Prints versions, back end and devices.'
    ),
    'predict': _Command(
        'gmoe.cli.predict',
        'Predicts for molecules of a table: gmoe predict MODEL new.csv.',
    ),
    'summarize': _Command(
        'gmoe.cli.summarize',
        'Summarizes dialogues: gmoe summarize MODEL dialogues.csv.',
    ),
    'tune': _Command(
        'gmoe.cli.tune', 'Searches the settings that are best on validation.'
    ),
}


#: Of these there is one of Lightning's, too, which has options only: ours has
#: the model first.
BOTH = ('predict',)


def is_own(arguments: Sequence[str]) -> bool:
    """Whether a command line is of one of these commands.

    Args:
        arguments: The command line, without the name of the program.
    """
    if not arguments or arguments[0] not in OWN:
        return False
    has_first = len(arguments) > 1 and not arguments[1].startswith('-')
    return arguments[0] not in BOTH or has_first


def run_own(arguments: Sequence[str]) -> None:
    """Runs one of these commands.

    Args:
        arguments: The command line, the command's name first.
    """
    import_module(OWN[arguments[0]].module).main(list(arguments[1:]))
