"""Packages that only a part of gmoe needs."""

from __future__ import annotations

import importlib
from types import ModuleType


def require(name: str, extra: str = 'text') -> ModuleType:
    """Imports a package of an extra.

    Args:
        name: The module's name.
        extra: The extra of gmoe that installs it.

    Raises:
        ImportError: If it is not installed, with the command that does it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        raise ImportError(
            f"'{missing}' is not installed: pip install 'gmoe[{extra}]'",
            name=missing,
        ) from error
