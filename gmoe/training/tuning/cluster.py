"""The cluster of Ray that a search runs on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gmoe.common.arguments import check_integer, check_number
from gmoe.common.require import require
from gmoe.common.shown import one_line

#: What this process and those of Ray leave out: files of logs, a look-up on
#: the network, a change of the folder.
_VARIABLES = {
    'RAY_USAGE_STATS_ENABLED': '0',
    'RAY_CHDIR_TO_TRIAL_DIR': '0',
    'TUNE_DISABLE_AUTO_CALLBACK_LOGGERS': '1',
    'RAY_AIR_NEW_OUTPUT': '0',
}


@dataclass(frozen=True)
class Resources:
    """Where trials run, and what each has for itself.

    Args:
        address: The address of a cluster of Ray, ``auto``, or ``local`` for
            one that is started on this machine.
        workers: How many trials run at a time. (default: as many as there are
            processors for)
        cores: The number of processors of a trial.
        gpus: The number of GPUs of a trial, or a share of one.
        memory: The GiB of memory of a trial. (default: not looked at)

    Raises:
        ValueError: If an argument is out of range.
    """

    address: str = 'local'
    workers: int | None = None
    cores: int = 1
    gpus: float = 0.0
    memory: float | None = None

    def __post_init__(self) -> None:
        check_integer(1, cores=self.cores)
        check_number(gpus=self.gpus)
        if self.workers is not None:
            check_integer(1, workers=self.workers)
        if self.memory is not None:
            check_number(0, inclusive=False, memory=self.memory)


@contextmanager
def cluster(resources: Resources) -> Iterator[int]:
    """Connects to a cluster, or starts one on this machine meanwhile.

    Args:
        resources: Which cluster.

    Returns:
        How many trials run at a time.

    Raises:
        ImportError: If Ray or Optuna is not installed.
        ValueError: If there is no such cluster.
    """
    os.environ.update(_VARIABLES)
    require('optuna', 'cluster')
    require('ray.tune', 'cluster')
    ray: Any = require('ray', 'cluster')
    local: dict[str, Any] = {}
    if resources.address == 'local':
        processors = resources.cores * (resources.workers or 0)
        local = {
            'num_cpus': processors or len(os.sched_getaffinity(0)),
            'object_store_memory': 100 << 20,
        }
    # The processes of trials read the same gmoe.
    paths = [str(Path(__file__).parents[3]), os.environ.get('PYTHONPATH')]
    threads = str(resources.cores)
    variables = {
        **_VARIABLES,
        'OMP_NUM_THREADS': threads,
        'MKL_NUM_THREADS': threads,
        'PYTHONPATH': os.pathsep.join(filter(None, paths)),
    }
    try:
        ray.init(
            address=resources.address,
            include_dashboard=False,
            log_to_driver=False,
            logging_level='error',
            runtime_env={'env_vars': variables},
            **local,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ValueError(
            "'ray.address' must be 'local', 'auto' or the address of a "
            f'cluster that runs, got {resources.address!r}: '
            f'{one_line(error, 120)}'
        ) from error
    try:
        there = ray.cluster_resources()
        if there.get('GPU', 0) < resources.gpus:
            raise ValueError(
                f"'gpus' must be at most {there.get('GPU', 0):g}, as the "
                f'cluster has, got {resources.gpus:g}'
            )
        fits = int(there.get('CPU', 1)) // resources.cores
        if fits < 1:
            raise ValueError(
                f"'cores' must be at most {int(there.get('CPU', 1))}, as the "
                f'cluster has, got {resources.cores}'
            )
        yield min(resources.workers or fits, fits)
    finally:
        ray.shutdown()
