"""A trial of a search: its settings, and how it went."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from gmoe.common.files import replace_text
from gmoe.training.tuning.space import Point

#: How a trial ended; ``running`` where it has not, or was interrupted.
STATUSES = ('running', 'done', 'stopped', 'failed')
_FILE = 'trial.json'


@dataclass
class Trial:
    """A trial.

    Args:
        name: Its name, which is that of its folder.
        point: What was drawn for it, as Optuna has it.
        settings: The settings that this stands for, by their names.
        status: One of :obj:`STATUSES`.
        score: Its best score on validation.
        epochs: The number of epochs that it trained.
        seconds: How long it took, since it was taken up.
        reason: Why it failed.
    """

    name: str
    point: Point
    settings: dict[str, Any] = field(default_factory=dict)
    status: str = 'running'
    score: float | None = None
    epochs: int = 0
    seconds: float = 0.0
    reason: str = ''

    @property
    def is_over(self) -> bool:
        """Whether it is not to be run again."""
        return self.status != 'running'

    def write(self, trials: Path) -> None:
        """Writes it into its folder.

        Args:
            trials: The folder of all trials.
        """
        text = json.dumps(asdict(self), indent=1) + '\n'
        replace_text(trials / self.name / _FILE, text)


def read_trials(trials: Path) -> list[Trial]:
    """Reads the trials that are in a folder, in the order of their numbers.

    Args:
        trials: The folder.

    Raises:
        ValueError: If a file in it is not of a trial.
    """
    found = []
    paths = trials.glob(f'*/{_FILE}')
    # A longer name has a larger number.
    for path in sorted(paths, key=lambda p: (len(p.parent.name), p)):
        try:
            trial = Trial(**json.loads(path.read_text()))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"'study' must be the folder of a search, got '{path}', which "
                'is no record of a trial'
            ) from error
        found.append(trial)
    return found


def best_trial(trials: Iterable[Trial], mode: str) -> Trial | None:
    """The trial with the best score, the first of equal ones.

    Args:
        trials: The trials.
        mode: Whether more (``"max"``) or less (``"min"``) is better.
    """
    sign = -1 if mode == 'max' else 1
    done = [t for t in trials if t.is_over and t.score is not None]
    scored = [(sign * t.score, t.name, t) for t in done if t.score is not None]
    return min(scored)[2] if scored else None


def write_table(path: Path, trials: Sequence[Trial]) -> None:
    """Writes a table of trials as CSV.

    Args:
        path: The file.
        trials: The trials.
    """
    rows = [
        {
            'trial': trial.name,
            'status': trial.status,
            'score': trial.score,
            'epochs': trial.epochs,
            'seconds': trial.seconds,
            **trial.settings,
            'reason': trial.reason,
        }
        for trial in trials
    ]
    names = ['trial', 'status', 'score', 'epochs', 'seconds']
    names += dict.fromkeys(n for trial in trials for n in trial.settings)
    table = pd.DataFrame(rows, columns=[*names, 'reason'], dtype=object)
    replace_text(path, table.to_csv(index=False))
