"""Where jobs run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from benchmarks.reproduce.job import Job


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Args:
        job: The job.
        status: ``done``; ``busy``: another process does it; ``lost``: its
            process ended before it did; ``failed``: it raised an error.
        message: Why, where it did not work.
    """

    job: Job
    status: str
    message: str = ''


class Pool(Protocol):
    """Where jobs run."""

    @property
    def free(self) -> int: ...

    @property
    def workers(self) -> int: ...

    @property
    def jobs(self) -> list[Job]: ...

    def submit(self, job: Job) -> None: ...

    def poll(self) -> list[Outcome]: ...

    def wait(self, seconds: float) -> None: ...

    def call(self, function: Callable[[], object]) -> None: ...

    def stop(self) -> None: ...
