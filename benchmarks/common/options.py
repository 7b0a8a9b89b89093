"""The command line of a benchmark."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonargparse import auto_cli


def user_path(text: str | Path) -> Path:
    """A path of the command line; ``~`` is the user's home.

    Args:
        text: What is given.
    """
    return Path(text).expanduser()


def at_least_one(**values: int) -> None:
    """Refuses numbers below 1.

    Args:
        **values: The arguments of a command by name.

    Raises:
        SystemExit: If one is below.
    """
    for name, value in values.items():
        if value < 1:
            raise SystemExit(f"'{name}' must be at least 1, got {value}")


def run(main: Callable[..., Any], **kwargs: Any) -> Any:
    """Calls a function with the arguments of the command line; ``~`` in a
    path is the user's home.

    Args:
        main: The function.
        **kwargs: Arguments of jsonargparse's ``auto_cli``.
    """

    @functools.wraps(main)
    def expanded(**arguments: Any) -> Any:
        return main(
            **{
                name: user_path(value) if isinstance(value, Path) else value
                for name, value in arguments.items()
            }
        )

    return auto_cli(expanded, **kwargs)
