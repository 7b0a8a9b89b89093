"""Options of a command line, before a parser has read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

#: The names of the option for a file of settings.
CONFIG = ('--config', '-c')


def parts(arguments: Sequence[str], *names: str) -> Iterator[tuple[str, str]]:
    """Yields an option of one of the names with its value, empty if that is
    missing, and an empty name with each argument that is none of these.

    Args:
        arguments: The command line.
        *names: The options, with their dashes.
    """
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, sign, value = argument.partition('=')
        if name not in names:
            yield '', argument
        elif sign or not rest or rest[0].startswith('--'):
            yield name, value
        else:
            yield name, rest.pop(0)


def values(arguments: Sequence[str], *names: str) -> list[str]:
    """The values of options, in their order.

    Args:
        arguments: The command line.
        *names: The options, with their dashes.
    """
    return [value for name, value in parts(arguments, *names) if name]


def given(arguments: Sequence[str], *names: str) -> str | None:
    """The last value of options, the one that counts; :obj:`None` if they are
    not there.

    Args:
        arguments: The command line.
        *names: The options, with their dashes.
    """
    found = values(arguments, *names)
    return found[-1] if found else None


def without(arguments: Sequence[str], *names: str) -> list[str]:
    """The command line without some options and their values.

    Args:
        arguments: The command line.
        *names: The options, with their dashes.
    """
    return [value for name, value in parts(arguments, *names) if not name]
