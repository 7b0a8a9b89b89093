"""Checks of arguments that are choices, numbers and shares."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

from gmoe.common.shown import shown


def check_choice(name: str, value: object, choices: Iterable[object]) -> None:
    """Refuses a value that is not among the choices.

    Args:
        name: The name of the argument.
        value: Its value.
        choices: What is accepted.

    Raises:
        ValueError: If it is not among them.
    """
    accepted = list(choices)
    if value not in accepted:
        raise ValueError(
            f"'{name}' must be one of {accepted}, got {shown(value)}"
        )


def check_integer(low: int, high: int | None = None, /, **values: Any) -> None:
    """Refuses what is no integer, or out of range.

    Args:
        low: The least that is accepted.
        high: The most that is accepted. (default: there is no bound)
        **values: The arguments.

    Raises:
        ValueError: If one is refused.
    """
    for name, value in values.items():
        if (
            not isinstance(value, Integral)
            or isinstance(value, bool)
            or value < low
            or (high is not None and not value <= high)
        ):
            bounds = f'>= {low}' if high is None else f'from {low} to {high}'
            raise ValueError(
                f"'{name}' must be an integer {bounds}, got {shown(value)}"
            )


def check_number(
    low: float = 0, /, *, inclusive: bool = True, **values: Any
) -> None:
    """Refuses what is no finite number, and numbers below a bound.

    Args:
        low: The bound.
        inclusive: Whether the bound itself is accepted.
        **values: The arguments.

    Raises:
        ValueError: If one is refused.
    """
    for name, value in values.items():
        if (
            not isinstance(value, Real)
            or isinstance(value, bool)
            or not math.isfinite(value)
            or (value < low if inclusive else value <= low)
        ):
            sign = '>=' if inclusive else '>'
            raise ValueError(
                f"'{name}' must be a number {sign} {low}, got {shown(value)}"
            )


def check_share(*, inclusive: bool = False, **shares: Any) -> None:
    """Refuses what is no share or probability.

    Args:
        inclusive: Whether one, as all of it, is accepted.
        **shares: The arguments.

    Raises:
        ValueError: If one is not from zero to one.
    """
    for name, share in shares.items():
        is_share = isinstance(share, Real) and not (share < 0)
        if not is_share or not (share <= 1 if inclusive else share < 1):
            end = ']' if inclusive else ')'
            raise ValueError(
                f"'{name}' must be in [0, 1{end}, got {shown(share)}"
            )
