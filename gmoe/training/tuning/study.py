"""The folder of a search: what is searched, its trials, and the best."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gmoe.common.files import lock, replace_text
from gmoe.common.shown import shown
from gmoe.training.tuning.space import Point, Space
from gmoe.training.tuning.trial import (
    Trial,
    best_trial,
    read_trials,
    write_table,
)

_SETTINGS = 'study.json'
#: Where each trial has a folder with the runs of ``fit``.
TRIALS = 'trials'
TABLE = 'trials.csv'
BEST = 'best.yaml'


class Study:
    """A search in a folder, from where it stopped.

    All of it is in text: ``study.json`` says what is searched,
    ``trials/NAME/trial.json`` what came of each trial, and ``trials.csv`` is
    the table of them. So a search goes on after its process was killed, and
    with more trials than were asked for at first.

    Args:
        path: The folder.
        space: The settings that are chosen.
        configuration: The settings that are not, by their names.
        monitor: The score on validation.
        mode: Whether more (``"max"``) or less (``"min"``) of it is better.
        seed: The seed of the search.

    Raises:
        ValueError: If the folder is that of another search.
        OSError: If it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        space: Space,
        configuration: dict[str, Any],
        monitor: str,
        mode: str,
        seed: int = 0,
    ) -> None:
        self.path = path
        self.space = space
        self.monitor = monitor
        self.mode = mode
        self.seed = seed
        #: The point of the configuration itself, if it is in the space.
        self.start = space.find(configuration)
        chosen = set(space.names)
        settings = {
            'space': space.to_dict(),
            'configuration': {
                name: value
                for name, value in configuration.items()
                if name not in chosen
            },
            'monitor': monitor,
            'mode': mode,
            'seed': seed,
        }
        self._check(json.loads(json.dumps(settings, default=str)))
        self.trials = read_trials(self.folder)
        # When this process took up each of its trials.
        self._begun: dict[str, float] = {}

    @property
    def folder(self) -> Path:
        """The folder of all trials."""
        return self.path / TRIALS

    @property
    def table(self) -> Path:
        """The table of all trials."""
        return self.path / TABLE

    @property
    def over(self) -> list[Trial]:
        """The trials that are not to be run again."""
        return [trial for trial in self.trials if trial.is_over]

    @property
    def best(self) -> Trial | None:
        """The trial with the best score so far."""
        return best_trial(self.trials, self.mode)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from the same search. A folder in which no
        trial was begun is removed in the end.

        Raises:
            ValueError: If one is at it.
        """
        with (self.path / 'lock').open('w') as file:
            if lock(file.fileno(), self.path / 'lock') is False:
                raise ValueError(
                    "'study' must be a folder that no other process searches "
                    f"in, got '{self.path}'"
                )
            try:
                yield
            finally:
                if not self.trials:  # It was refused before the first.
                    shutil.rmtree(self.path)

    def waiting(self) -> list[Point]:
        """The points to try first: of trials that were interrupted, and of
        the configuration itself."""
        points = [t.point for t in self.trials if not t.is_over]
        if self.start is not None and not self.trials:
            points.append(self.start)
        return points

    def begin(self, point: Point) -> Trial:
        """Makes a trial, or takes up one that was interrupted.

        Args:
            point: What was drawn for it.
        """
        for trial in self.trials:
            is_begun = trial.is_over or trial.name in self._begun
            if trial.point == point and not is_begun:
                break
        else:
            name = f'trial_{len(self.trials):03d}'
            trial = Trial(name, dict(point), self.space.settings(point))
            trial.write(self.folder)
            self.trials.append(trial)
        self._begun[trial.name] = time.monotonic()
        return trial

    def end(self, trial: Trial) -> None:
        """Keeps what came of a trial. Of all those that are over, only the
        best keeps its checkpoints.

        Args:
            trial: The trial.
        """
        begun = self._begun.get(trial.name, time.monotonic())
        trial.seconds = round(time.monotonic() - begun, 1)
        trial.write(self.folder)
        write_table(self.table, self.over)
        best = self.best
        for other in self.over:
            if other is not best:
                _remove_checkpoints(self.folder / other.name)

    def write_best(self, text: str, trial: Trial) -> Path:
        """Writes the best configuration.

        Args:
            text: The configuration in YAML.
            trial: The trial that it is of.
        """
        over = self.over
        failed = sum(t.status == 'failed' for t in over)
        head = (
            f"# Made by 'gmoe tune': the best of {len(over)} trials on "
            f'validation ({failed} failed).\n'
            f'# {trial.name}: {self.monitor} {trial.score:.6g}\n'
        )
        replace_text(self.path / BEST, head + text)
        return self.path / BEST

    def _check(self, settings: dict[str, Any]) -> None:
        path = self.path / _SETTINGS
        try:
            known = json.loads(path.read_text())
        except FileNotFoundError:
            if self.path.exists() and any(self.path.iterdir()):
                raise ValueError(
                    "'study' must be a new folder or that of a search, got "
                    f"'{self.path}', which holds something else"
                ) from None
            replace_text(path, json.dumps(settings, indent=1) + '\n')
            return
        except (OSError, ValueError) as error:
            raise ValueError(
                f"'study' must be the folder of a search, got '{self.path}': "
                f"'{_SETTINGS}' cannot be read"
            ) from error
        name = _difference(known, settings)
        if name is not None:
            old, new = _get(known, name), _get(settings, name)
            raise ValueError(
                f"'study' must be another folder for another search: "
                f"'{self.path}' has {'.'.join(name)!r} {shown(old)}, got "
                f'{shown(new)}'
            )


def _get(settings: Any, name: Sequence[str]) -> Any:
    for part in name:
        settings = settings.get(part) if isinstance(settings, dict) else None
    return settings


def _difference(old: Any, new: Any) -> tuple[str, ...] | None:
    """The name of the first setting that differs."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return None if old == new else ()
    for key in dict.fromkeys([*old, *new]):
        inner = _difference(old.get(key), new.get(key))
        if inner is not None:
            return key, *inner
    return None


def _remove_checkpoints(folder: Path) -> None:
    for path in folder.glob('version_*/checkpoints'):
        shutil.rmtree(path, ignore_errors=True)
