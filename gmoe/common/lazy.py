"""Names of a package that are imported at their first use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy(
    package: str,
    names: Mapping[str, str],
    subpackages: Sequence[str] = (),
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The ``__getattr__`` and the ``__dir__`` of a package.

    Args:
        package: The package's own name.
        names: The module in which each name is defined.
        subpackages: Subpackages that are names of the package too.
    """

    def get(name: str) -> Any:
        if name in subpackages:
            return import_module(f'{package}.{name}')
        if name not in names:
            raise AttributeError(
                f'module {package!r} has no attribute {name!r}'
            )
        value = getattr(import_module(names[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    def listed() -> list[str]:
        return sorted(vars(sys.modules[package])['__all__'])

    return get, listed
