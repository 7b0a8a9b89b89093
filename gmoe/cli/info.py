"""The command ``gmoe info``."""

from __future__ import annotations

from gmoe.cli.own import OWN
from gmoe.cli.parser import Parser
from gmoe.training.environment import print_info


def main(arguments: list[str]) -> None:
    """Prints versions, back end and devices.

    Args:
        arguments: The rest of the command line.
    """
    Parser(prog='gmoe info', description=OWN['info'].help).parse_args(
        arguments
    )
    print_info()
