"""What the commands share that are given a trained network."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from gmoe.cli.parser import Parser


def add_model(parser: Parser) -> None:
    """Adds the first argument, which names the network.

    Args:
        parser: The parser of a command.
    """
    parser.add_argument(
        'model',
        type=str,
        help="A run's folder, a checkpoint, an exported folder, the folder of "
        'an ensemble, or a name of the hub.',
    )


def add_input(parser: Parser) -> None:
    """Adds the arguments that name molecules.

    Args:
        parser: The parser of a command.
    """
    parser.add_argument(
        'input',
        type=str,
        nargs='+',
        help="A table in CSV, '-' for one on the standard input, or SMILES "
        'strings.',
    )
    parser.add_argument(
        '--smiles',
        type=str,
        help='The column of SMILES strings. (default: found)',
    )


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Leaves out what other packages warn their developers of while a network
    is loaded."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', FutureWarning)
        yield


@contextmanager
def until_enough_is_read() -> Iterator[None]:
    """Ends what is written to the standard output without an error where
    whoever reads it has seen enough."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(line: str) -> None:
    """Says something beside the output, on the standard error.

    Args:
        line: What is said.
    """
    print(line, file=sys.stderr)


def find_device(name: str) -> str:
    """The device of a name.

    Args:
        name: Its name; ``'auto'`` for a GPU if there is one.

    Raises:
        ValueError: If this machine has none of this name.
    """
    import torch

    if name == 'auto':
        return 'cuda' if torch.cuda.is_available() else 'cpu'
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError):
        is_here = False
    else:
        is_here = not name.startswith('meta')  # It holds no numbers.
    if not is_here:
        raise ValueError(
            f"'device' must be 'auto', or one of this machine, got {name!r}"
        )
    return name
