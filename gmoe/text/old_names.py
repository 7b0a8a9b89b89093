"""Settings that earlier versions called by other names."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

#: The names of before, and those of now.
OLD_NAMES = {
    'balance_loss_weight': 'balance_weight',
    'expert_hidden': 'hidden_channels',
    'experts_per_text': 'experts_per_token',
}


def with_new_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings by the names of this version, with a warning for each
    that has an old name.

    Args:
        settings: The settings by name.

    Raises:
        ValueError: If a setting is given by both of its names.
    """
    new = {}
    for name, value in settings.items():
        now = OLD_NAMES.get(name, name)
        if now != name:
            if now in settings:
                raise ValueError(
                    f"'{name}' must be left out beside '{now}', its name of "
                    f'now, got {value!r:.60}'
                )
            message = f"'{name}' is called '{now}' now"
            warnings.warn(message, FutureWarning, stacklevel=3)
        new[now] = value
    return new
