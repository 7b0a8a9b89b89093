"""Checkpoints of a run whose folder has another name by now."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

_PATHS = ('best_model_path', 'kth_best_model_path', 'last_model_path')


def at_home(
    state: dict[str, Any], folder: str | Path | None
) -> dict[str, Any]:
    """The state of a callback for checkpoints, with its paths in the folder
    in which these are now. Lightning forgets the best score otherwise, so
    that the next epoch counts as the best, however poor.

    Args:
        state: What the callback has saved.
        folder: The folder of checkpoints now.

    Returns:
        The state as it is, unless its best checkpoint is in that folder.
    """
    best = str(state.get('best_model_path', ''))
    here = '' if folder is None else os.fspath(folder)
    if not here or not best or state.get('dirpath') == here:
        return state

    def moved(path: str) -> str:
        return os.path.join(here, os.path.basename(path)) if path else ''

    if not os.path.isfile(moved(best)):
        return state
    kept = state.get('best_k_models', {})
    return {
        **state,
        **{name: moved(state.get(name, '')) for name in _PATHS},
        'best_k_models': {moved(path): score for path, score in kept.items()},
        'dirpath': here,
    }
