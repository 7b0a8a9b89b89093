"""Checks of the texts, categories and names of settings."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Set
from contextlib import suppress
from typing import Any

import numpy as np
from torch import Tensor

from gmoe.common.arguments import check_integer
from gmoe.common.shown import shown

#: A category.
Label = str | int


def check_texts(texts: Any, name: str = 'texts') -> list[str]:
    """The texts as a list.

    Args:
        texts: Texts in any sequence with one axis: a list, an array, a
            series of pandas with any index, or an iterator.
        name: What error messages call them.

    Raises:
        ValueError: If it is a single text, or holds what is no text or no
            valid Unicode.
    """
    values = _values(texts, name, 'texts')
    for index, text in enumerate(values):
        if not isinstance(text, str):
            raise ValueError(
                f"'{name}' must hold texts, got {shown(text)} at position "
                f'{index}'
            )
        _check_unicode(text, name, index)
    return [str(text) for text in values]


def check_labels(labels: Any, name: str = 'labels') -> list[Label]:
    """The categories as a list of plain texts, integers or truth values.

    Args:
        labels: Categories in any sequence with one axis.
        name: What error messages call them.

    Raises:
        ValueError: If one is missing (:obj:`None`, NaN) or of another kind,
            or the kinds are mixed.
    """
    values = [_plain(v) for v in _values(labels, name, 'categories')]
    for index, label in enumerate(values):
        if not isinstance(label, (str, int)):
            raise ValueError(
                f"'{name}' must hold texts or integers, got {shown(label)} "
                f'at position {index}'
            )
        if type(label) is not type(values[0]):
            raise ValueError(
                f"'{name}' must all be of one type, got {shown(values[0])} "
                f'at position 0 and {shown(label)} at position {index}'
            )
        if isinstance(label, str):
            _check_unicode(label, name, index)
    return values


def check_names(kind: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuses settings that do not exist.

    Args:
        kind: What they are settings of.
        given: The names.
        known: The names that exist.

    Raises:
        ValueError: If one does not, with the nearest that does.
    """
    names = sorted(known)
    for name in given:
        if name in names:
            continue
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean '{near[0]}'?" if near else f'not one of {names}'
        raise ValueError(
            f"'{kind}' must be settings that exist, got {name!r}: {hint}"
        )


def check_selected(
    router: str, num_experts: int, experts_per_token: Any, **others: Any
) -> None:
    """Looks at settings of the selection of experts.

    Args:
        router: The router; those without ``topk`` select no fixed number.
        num_experts: The number of experts.
        experts_per_token: The number that is selected.
        **others: Further settings that only a selection has.

    Raises:
        ValueError: If the number is out of range, or one is given to a router
            that does not select.
    """
    if router.endswith('topk'):
        check_integer(1, num_experts, experts_per_token=experts_per_token)
        return
    others = {'experts_per_token': experts_per_token, **others}
    for name, value in others.items():
        if value is not None:
            raise ValueError(
                f"'{name}' must be None for the router {router!r}, which "
                f'selects no fixed number, got {shown(value)}'
            )


def _values(values: Any, name: str, what: str) -> list[Any]:
    is_text = isinstance(values, (str, bytes))
    has_order = not isinstance(values, (Mapping, Set))
    if not is_text and has_order and getattr(values, 'ndim', 1) == 1:
        with suppress(TypeError):
            return list(values)
    raise ValueError(
        f"'{name}' must be a sequence of {what} with one axis, got "
        f'{"the single text " if is_text else ""}{shown(values)}'
    )


def _plain(label: Any) -> Any:
    # Subclasses, such as the texts of numpy, are no JSON.
    if isinstance(label, (np.generic, Tensor)):
        label = label.item()
    return str(label) if isinstance(label, str) else label


def _check_unicode(text: str, name: str, index: int) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"'{name}' must hold valid Unicode, got half of a character "
            f'(a surrogate) at position {index}: {shown(text)}'
        ) from None
