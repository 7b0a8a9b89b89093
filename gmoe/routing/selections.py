"""Selections by their names."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from gmoe.common.arguments import check_choice
from gmoe.common.shown import shown
from gmoe.routing.adaptive import TopAny, TopP
from gmoe.routing.balanced import BalancedTopK
from gmoe.routing.expert_choice import ExpertChoice
from gmoe.routing.select import AllExperts, Selection, TopK

#: The selections beside top-k, by name.
SELECTIONS: dict[str, type[Selection]] = {
    'top_p': TopP,
    'top_any': TopAny,
    'balanced_top_k': BalancedTopK,
    'expert_choice': ExpertChoice,
}


def make_selection(
    num_experts: int,
    top_k: int | None = None,
    normalize: str = 'softmax',
    topk_first: bool | None = None,
    select: str | Selection | None = None,
    select_kwargs: Mapping[str, Any] | None = None,
) -> Selection:
    """The selection that the arguments of a router mean.

    Args:
        num_experts: Number of experts :math:`n`.
        top_k: Number of experts selected per node.
        normalize: A key of ``NORMALIZATIONS``.
        topk_first: Whether only the selected experts are normalised.
        select: A key of :data:`SELECTIONS`, or the selection itself. (default:
            by :obj:`top_k`)
        select_kwargs: The arguments of the selection that is named.

    Raises:
        ValueError: If arguments do not go together.
    """
    if select is None:
        _refuse("'select' is None", select_kwargs=select_kwargs)
        if top_k is None:
            return AllExperts(normalize)
        return TopK(top_k, normalize, topk_first is not False)
    if normalize != 'softmax':
        raise ValueError(
            "'normalize' must be 'softmax' where 'select' is given, which has "
            f'weights of its own, got {normalize!r}'
        )
    _refuse("'select' is given", topk_first=topk_first)
    if isinstance(select, Selection):
        where = "'select' is a Selection"
        _refuse(where, top_k=top_k, select_kwargs=select_kwargs)
        return select
    check_choice('select', select, SELECTIONS)
    return _named(select, num_experts, top_k, select_kwargs)


def _named(
    select: str,
    num_experts: int,
    top_k: int | None,
    select_kwargs: Mapping[str, Any] | None,
) -> Selection:
    kind = SELECTIONS[select]
    parameters = inspect.signature(kind).parameters
    if not isinstance(select_kwargs, Mapping | None):
        raise ValueError(
            "'select_kwargs' must be a mapping or None, got "
            f'{shown(select_kwargs)}'
        )
    sizes = {'num_experts': num_experts, 'top_k': top_k}
    for name in select_kwargs or {}:
        own = [name for name in parameters if name not in sizes]
        check_choice('select_kwargs', name, own)
    if 'top_k' not in parameters:
        _refuse(f"'select' is {select!r}", top_k=top_k)
    given = {name: sizes[name] for name in sizes if name in parameters}
    given |= select_kwargs or {}
    for name, parameter in parameters.items():
        if name not in given and parameter.default is parameter.empty:
            raise ValueError(
                f"'select_kwargs' must have {name!r} where 'select' is "
                f'{select!r}, got {shown(select_kwargs)}'
            )
    return kind(**given)


def _refuse(where: str, **values: Any) -> None:
    for name, value in values.items():
        if value is not None:
            raise ValueError(
                f"'{name}' must be None where {where}, got {shown(value)}"
            )
