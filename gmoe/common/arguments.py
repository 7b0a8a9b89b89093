"""Checks of arguments that are names, numbers and shares."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real

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


def check_at_least(low: int, **sizes: object) -> None:
    """Refuses sizes that are too small, or no integers.

    Args:
        low: The least that is accepted.
        **sizes: The arguments.

    Raises:
        ValueError: If one is below.
    """
    for name, size in sizes.items():
        if (
            not isinstance(size, Integral)
            or isinstance(size, bool)
            or size < low
        ):
            raise ValueError(
                f"'{name}' must be an integer >= {low}, got {shown(size)}"
            )


def check_dropout(**shares: float) -> None:
    """Refuses shares that are not in :math:`[0, 1)`.

    Args:
        **shares: The arguments.

    Raises:
        ValueError: If one is not.
    """
    for name, share in shares.items():
        if not isinstance(share, Real) or not 0 <= share < 1:
            raise ValueError(f"'{name}' must be in [0, 1), got {shown(share)}")
