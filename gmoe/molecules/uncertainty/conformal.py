"""The package that does conformal prediction, and its levels."""

from __future__ import annotations

import math
import warnings
from types import ModuleType

from gmoe.common.arguments import check_number
from gmoe.common.require import require
from gmoe.common.shown import shown

# Of ``1 - 0.9``, nothing but its rounding error would be counted.
_ROUNDING = 1e-12


def crepes() -> ModuleType:
    """Imports crepes, which switches all warnings on as it is imported."""
    with warnings.catch_warnings():
        return require('crepes', 'mol')


def check_level(level: float, name: str = 'level') -> None:
    """Refuses a level that is no share between 0 and 1.

    Args:
        level: The share of intervals or sets that are to hold the truth.
        name: What the argument is called that gives it.

    Raises:
        ValueError: If it is not.
    """
    check_number(0, inclusive=False, **{name: level})
    if level >= 1:
        raise ValueError(
            f"'{name}' must be a share between 0 and 1, got {shown(level)}"
        )


def exact(level: float) -> float:
    """The level as it is given to crepes, which multiplies ``1 - level`` by a
    number of molecules and cuts off.

    Args:
        level: The level.
    """
    return level - _ROUNDING


def least_number(level: float) -> int:
    """How many labelled molecules a level needs: with fewer, no finite
    interval has it.

    Args:
        level: The level.
    """
    return math.ceil(1 / (1 - exact(level)) - 1e-6) - 1
