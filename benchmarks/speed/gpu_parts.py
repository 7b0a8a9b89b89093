"""What each part of the check of a GPU does."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import torch

from benchmarks.common.record import ROOT
from gmoe import ops

#: How many characters of what a process said last are kept.
TAIL = 2000

#: The tools of compute-sanitizer that look on.
TOOLS = ('memcheck', 'racecheck')


class Ended(Exception):
    """The end of a part that does not hold.

    Args:
        state: ``'failed'``, ``'timed out'`` or ``'left out'``.
        **found: What it found, and the ``reason``.
    """

    def __init__(self, state: str, **found: Any) -> None:
        super().__init__(state, found.get('reason'))
        self.state = state
        self.found = found


@dataclass
class Setting:
    """What a part works with.

    Args:
        root: The folder of the OGB datasets.
        device: Where it runs.
        dataset: The dataset of the epoch.
        rounds: How often each model and each op is timed.
        runs: How often each op is run to compare the bits.
        folder: A folder for its files.
        end: When it must have ended, by the monotonic clock.
    """

    root: Path
    device: str
    dataset: str
    rounds: int
    runs: int
    folder: Path
    end: float = float('inf')

    @property
    def on_gpu(self) -> bool:
        """Whether it runs on a GPU."""
        return torch.device(self.device).type == 'cuda'

    def call(self, *arguments: str, **environment: str) -> str:
        """Runs a command of Python, as :func:`call` does, up to the end of
        the part.

        Args:
            *arguments: The command.
            **environment: Environment variables that it gets.
        """
        limit = self.end - time.monotonic()
        return call([sys.executable, *arguments], limit, **environment)


def call(command: list[str], limit: float, **environment: str) -> str:
    """Runs a command with all processes that it starts, and gives what it
    said.

    Args:
        command: The command.
        limit: How many seconds it may take.
        **environment: Environment variables that it gets.

    Raises:
        Ended: If it takes longer or fails.
    """
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors='replace',
        start_new_session=True,
    )
    timeout = limit if limit < float('inf') else None
    try:
        said, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        _end(process)
        said, _ = process.communicate()
        raise Ended('timed out', reason=said[-TAIL:]) from None
    except BaseException:
        _end(process)
        raise
    if process.returncode != 0:
        raise Ended('failed', reason=said[-TAIL:])
    return said


def _end(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGKILL)


def build(setting: Setting) -> dict[str, Any]:
    """Builds what is missing of the fused ops, for the card alone."""
    if ops.AVAILABLE and ops.CUDA_AVAILABLE:
        return {'built': False}
    major, minor = torch.cuda.get_device_capability(setting.device)
    what = ['build_cuda'] if ops.AVAILABLE else ['build_ext', '--inplace']
    setting.call('setup.py', *what, TORCH_CUDA_ARCH_LIST=f'{major}.{minor}')
    setting.call(
        '-c', 'from gmoe.ops import CUDA_AVAILABLE; assert CUDA_AVAILABLE'
    )
    return {'built': True}


def tests(setting: Setting) -> dict[str, Any]:
    """Runs the tests of ops and layers whose names tell the device."""
    report = setting.folder / 'tests.xml'
    kind = torch.device(setting.device).type
    workers = max(1, min(8, (os.cpu_count() or 1) // 2))
    try:
        setting.call(
            *('-m', 'pytest', '-q', '-n', str(workers), '-k', kind),
            *('tests/ops', 'tests/nn', f'--junitxml={report}'),
        )
    except Ended as ended:
        if report.exists():
            ended.found |= read_tests(report)
        raise
    return read_tests(report)


def read_tests(report: Path) -> dict[str, Any]:
    """The numbers of a report of pytest, and the tests that failed.

    Args:
        report: The report, of JUnit's kind.
    """
    (suite,) = ElementTree.parse(report).getroot()
    failed = [
        f'{case.get("classname")}.{case.get("name")}: '
        f'{(problem.get("message") or "")[:300]}'
        for case in suite.iter('testcase')
        for problem in (*case.iter('failure'), *case.iter('error'))
    ]
    counts = {
        name: int(suite.get(name, 0))
        for name in ('tests', 'failures', 'errors', 'skipped')
    }
    return {**counts, 'failed': failed}


def capture(setting: Setting) -> dict[str, Any]:
    """Captures every op in a CUDA graph."""
    return _ops(setting, 'capture')


def determinism(setting: Setting) -> dict[str, Any]:
    """Compares the bits of many runs."""
    runs = setting.runs
    return {'runs': runs, **_ops(setting, 'determinism', f'--runs={runs}')}


def _ops(setting: Setting, *what: str) -> dict[str, Any]:
    said = setting.call(
        *('-m', 'benchmarks.speed.gpu_ops', *what),
        f'--device={setting.device}',
    )
    return {'said': said.strip().splitlines()[-1]}


def sanitizer(setting: Setting) -> dict[str, Any]:
    """Calls every op under each tool of compute-sanitizer."""
    program = find_sanitizer()
    if program is None:
        raise Ended('left out', reason='compute-sanitizer is not found')
    start = time.monotonic()
    each = (setting.end - start) / len(TOOLS)
    found: dict[str, Any] = {}
    for number, tool in enumerate(TOOLS):
        limit = start + each * (number + 1) - time.monotonic()
        found[tool] = _sanitize(program, tool, setting.device, limit)
    if any(result['state'] != 'holds' for result in found.values()):
        raise Ended('failed', reason='not all tools hold', **found)
    return found


def find_sanitizer() -> str | None:
    """The program compute-sanitizer, if it is there."""
    folders = [os.environ.get(name) for name in ('CUDA_HOME', 'CUDA_PATH')]
    places = [f'{folder}/bin' for folder in folders if folder]
    path = os.pathsep.join(
        [*places, os.environ.get('PATH', ''), '/usr/local/cuda/bin']
    )
    return shutil.which('compute-sanitizer', path=path)


def _sanitize(
    program: str, tool: str, device: str, limit: float
) -> dict[str, Any]:
    command = [
        *(program, '--tool', tool, '--error-exitcode', '9'),
        *(sys.executable, '-m', 'benchmarks.speed.gpu_ops', 'once'),
        *(f'--device={device}', '--seeds=1'),
    ]
    # Each tensor has memory of its own, whose end the tool knows.
    own = {'PYTORCH_NO_CUDA_MEMORY_CACHING': '1'}
    try:
        said = call(command, limit, **own)
    except Ended as ended:
        return {'state': ended.state, **ended.found}
    (summary,) = re.findall(r'^=+ (.*SUMMARY: .*)$', said, re.M)[-1:] or ['']
    return {'state': 'holds', 'said': summary}


def step_time(setting: Setting) -> dict[str, Any]:
    """Times a training step and inference of two mixtures."""
    return _rows(
        setting, 'step_time', '--only=[gcn-n8-k4-d150, gin-n8-k1-d300]'
    )


def op_bandwidth(setting: Setting) -> dict[str, Any]:
    """Measures the bandwidth that the op of messages makes use of."""
    return _rows(
        setting,
        'op_bandwidth',
        '--only=[message-gcn-n8-k4-d150-train, message-gin-n8-k1-d300-train]',
        '--batch=512',
    )


def _rows(setting: Setting, name: str, *arguments: str) -> dict[str, Any]:
    path = setting.folder / f'{name}.json'
    setting.call(
        *('-m', f'benchmarks.speed.{name}', f'--root={setting.root}'),
        *(f'--device={setting.device}', f'--rounds={setting.rounds}'),
        *(f'--json={path}', *arguments),
    )
    return {'rows': json.loads(path.read_text())['rows']}


def epoch(setting: Setting) -> dict[str, Any]:
    """Trains table 1's mixture of GCN experts for one epoch."""
    folder = setting.folder
    setting.call(
        *('-m', 'benchmarks.reproduce', 'table1', '--cells', 'gmoe-gcn'),
        *('--datasets', setting.dataset, '--seeds', '1', '--epochs', '1'),
        *('--workers', '1', '--root', str(setting.root.resolve())),
        *('--accelerator', 'gpu' if setting.on_gpu else 'cpu'),
        *('--threads', str(torch.get_num_threads())),
        *('--results', str(folder), '--runs', str(folder / 'runs')),
    )
    lines = (folder / 'table1.jsonl').read_text().splitlines()
    record = json.loads(lines[0])
    return {'dataset': setting.dataset, 'measured': record['measured']}
