"""What is kept of the epochs of a fine-tuning, in files of their own, so that
it is there after an interruption."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from transformers import TrainerCallback

from benchmarks.common.record import write_json
from benchmarks.reproduce.progress import Progress


@dataclass(frozen=True)
class Epoch:
    """What is kept of an epoch.

    Args:
        seconds: How long it trained.
        steps: The milliseconds of each of its steps.
        use: How experts are used after it, if there are any.
    """

    seconds: float
    steps: list[float]
    use: dict[str, Any] | None


class EpochLog(TrainerCallback):
    """Keeps the epochs of a training, and how experts are used before the
    first one as number 0.

    Args:
        folder: The folder of the run.

    Attributes:
        count: Counts how experts are used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count: Callable[[], dict[str, Any] | None] = lambda: None
        self._started = self._step = 0.0
        self._steps: list[float] = []

    def on_train_begin(
        self, args: Any, state: Any, control: Any, **kwargs: Any
    ) -> None:
        if state.global_step == 0:
            self._keep(0, Epoch(0.0, [], self.count()))

    def on_epoch_begin(self, *args: Any, **kwargs: Any) -> None:
        self._started = time.perf_counter()
        self._steps = []

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        self._step = time.perf_counter()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        self._steps.append(1000 * (time.perf_counter() - self._step))

    def on_epoch_end(
        self, args: Any, state: Any, control: Any, **kwargs: Any
    ) -> None:
        seconds = time.perf_counter() - self._started
        epoch = Epoch(seconds, self._steps, self.count())
        self._keep(round(state.epoch), epoch)

    def read(self, count: int) -> list[Epoch] | None:
        """The state before the first epoch and all epochs; :obj:`None` if one
        cannot be read, as when the machine went down while it was written.

        Args:
            count: The number of epochs.
        """
        try:
            return [
                Epoch(**json.loads(self._path(number).read_bytes()))
                for number in range(count + 1)
            ]
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _keep(self, number: int, epoch: Epoch) -> None:
        write_json(self._path(number), asdict(epoch))
        epochs = self.read(number) or []
        seconds = sum(each.seconds for each in epochs)
        Progress(number, seconds, os.getpid()).write(self.folder)

    def _path(self, number: int) -> Path:
        return self.folder / f'epoch-{number}.json'


def median_step(epochs: Sequence[Epoch]) -> float:
    """The median of all steps, in milliseconds.

    Args:
        epochs: The epochs.
    """
    return median(step for epoch in epochs for step in epoch.steps)
