"""The base of the pools that run jobs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.reproduce.job import Job


@dataclass(frozen=True)
class Outcome:
    """The end of a job.

    Args:
        job: The job.
        status: ``done``; ``busy``: another process does it; ``lost``: its
            process ended before it did; ``failed``: it raised an error.
        message: Why, where it did not work.
    """

    job: Job
    status: str
    message: str = ''


class Pool(ABC):
    """A place where jobs run, several at a time.

    Args:
        workers: How many run at a time.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        #: The jobs under way, by what does them.
        self.running: dict[Any, Job] = {}

    @property
    def free(self) -> int:
        """The number of jobs that can be started now."""
        return self.workers - len(self.running)

    @abstractmethod
    def submit(self, job: Job) -> None:
        """Starts a job."""

    @abstractmethod
    def poll(self) -> list[Outcome]:
        """The jobs that ended since the last call."""

    @abstractmethod
    def wait(self, seconds: float) -> None:
        """Waits until a job ends.

        Args:
            seconds: How long at most.
        """

    @abstractmethod
    def call(self, function: Callable[[], object]) -> None:
        """Calls a function where jobs run, and waits for it.

        Raises:
            RuntimeError: If it fails.
        """

    @abstractmethod
    def stop(self) -> None:
        """Ends all jobs. Nothing is lost but what they did since their last
        checkpoints."""
