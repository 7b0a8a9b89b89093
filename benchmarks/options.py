"""The command line of a benchmark."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonargparse import auto_cli


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
                name: value.expanduser() if isinstance(value, Path) else value
                for name, value in arguments.items()
            }
        )

    return auto_cli(expanded, **kwargs)
