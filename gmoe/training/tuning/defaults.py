"""The space of a search that is given none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gmoe.training.tuning.space import Space, Values

_MIXTURE = ('model.num_experts', 'model.num_experts_1hop', 'model.top_k')
#: Experts, hop-1 experts among them, and experts per node: one network of
#: each size, and mixtures of hop-1 experts, of both kinds, and of hop-2.
_MIXTURES = (
    (1, None, None),
    (4, 4, 1),
    (4, 4, 2),
    (4, 2, 2),
    (8, 8, 2),
    (8, 4, 4),
    (8, 0, 4),
)
#: Widths of 64 to 300 cover OGB's networks and the paper's; rates around
#: Adam's 0.001; shares of dropout up to the paper's.
_DEFAULTS = (
    Values('model.hidden_channels', 'choice', (64, 128, 200, 300)),
    Values('model.num_layers', 'randint', (2, 6)),
    Values('model.conv', 'choice', ('gcn', 'gin')),
    Values('model.dropout', 'uniform', (0.0, 0.5)),
    Values('model.pooling', 'choice', ('mean', 'sum')),
    Values('model.learning_rate', 'loguniform', (1e-4, 1e-2)),
    Values('data.batch_size', 'choice', (16, 32, 64, 128)),
)


def default_space(settings: Mapping[str, Any]) -> Space:
    """The space for a :class:`~gmoe.training.GraphPredictor`: its width,
    depth, convolution, experts, dropout, pooling, learning rate and the size
    of batches. What a configuration has not is left out, and its own values
    are among the choices.

    Args:
        settings: All settings of the configuration, by their names.

    Raises:
        ValueError: If it has none of them.
    """
    found = [
        _with_own(values, settings[values.name])
        for values in _DEFAULTS
        if values.name in settings
    ]
    if all(name in settings for name in _MIXTURE):
        own = tuple(settings[name] for name in _MIXTURE)
        mixtures = dict.fromkeys([*_MIXTURES, own])
        groups = tuple(dict(zip(_MIXTURE, m)) for m in mixtures)
        found.append(Values('experts', 'choice', groups))
    if not found:
        raise ValueError(
            "'space' must be a file for a network without settings as "
            'GraphPredictor has them, got none'
        )
    return Space(found)


def _with_own(values: Values, own: Any) -> Values:
    if values.kind == 'choice':
        kept = dict.fromkeys([*values.values, own])
        return Values(values.name, values.kind, tuple(kept))
    low, high = values.values
    if isinstance(own, (int, float)) and not low <= own <= high:
        is_positive = own > 0 or values.kind != 'loguniform'
        if is_positive:
            low, high = min(low, own), max(high, own)
    return Values(values.name, values.kind, (low, high))
