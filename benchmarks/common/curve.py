"""Learning curves from the logs of a run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd


def read_curve(paths: Iterable[Path], metric: str) -> list[dict[str, Any]]:
    """The logged values of each epoch.

    Args:
        paths: The ``metrics.csv`` of a run; several where it was resumed, of
            which the newest has the last word on an epoch.
        metric: The name of the score.
    """
    frames = [
        pd.read_csv(path)
        for path in sorted(paths, key=lambda path: path.stat().st_mtime)
    ]
    table = pd.concat(frames).groupby('epoch').last()
    columns = {
        'train/task_loss': 'train_loss',
        'train/balance_loss': 'balance_loss',
        f'val/{metric}': 'valid',
        f'test_curve/{metric}': 'test',
    }
    table = table[[c for c in columns if c in table]].rename(columns=columns)
    table = table[table['valid'].notna()]  # Not the row of the final test.
    return table.round(6).reset_index().to_dict('records')
