"""Runs the large checks that the tests run in small, and shows what they say.

    python -m benchmarks.reliability --root data/ogb

Each check is a command of its own, which fails if anything is wrong. What it
prints goes, with the command, to ``benchmarks/results/reliability.json`` and
to ``docs/reliability.md``.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.common import markdown
from benchmarks.common.options import run
from benchmarks.common.record import (
    RESULTS,
    ROOT,
    provenance,
    read_result,
    write_result,
)

_NAME = 'benchmarks.reliability'
_ROOT = '$ROOT'

#: What is checked, and the arguments of ``python -m``.
CHECKS = {
    'ops': 'benchmarks.reliability.fuzz_ops --calls 5000',
    'hop-2 edges and molecules': (
        f'benchmarks.reliability.refusals --root {_ROOT}'
    ),
    'raw files': 'tests.datasets.raw_fuzz --cases 5000',
    'archives': 'tests.datasets.archive_fuzz --cases 10000',
    'downloads and caches': (
        'tests.datasets.download_race --pairs 20 --kills 20'
    ),
    'triples and XML': 'benchmarks.reliability.text_fuzz --calls 20000',
    'text classifiers': 'benchmarks.reliability.classifier_fuzz --calls 1000',
    'killed text classifiers': (
        'benchmarks.reliability.classifier_kills --kills 20'
    ),
}


def main(
    root: Path = Path('data/ogb'),
    only: list[str] | None = None,
    results: Path = RESULTS,
    docs: Path = ROOT / 'docs',
) -> None:
    """Runs the checks and shows what they say.

    Args:
        root: The folder of OGB's datasets.
        only: Names of checks; what the others said before stays.
        results: The folder of the result.
        docs: The folder of ``reliability.md``.

    Raises:
        ValueError: If there is no such check.
    """
    for name in only or []:
        if name not in CHECKS:
            raise ValueError(
                f"'only' must hold some of {list(CHECKS)}, got {name!r}"
            )
    known = read_result('reliability') or {'checks': {}}
    checks = {k: v for k, v in known['checks'].items() if k in CHECKS}
    for name in only or CHECKS:
        print(f'{name} ...', flush=True)
        checks[name] = _check(CHECKS[name], root)
        ordered = {name: checks[name] for name in CHECKS if name in checks}
        result = {'checks': ordered, **provenance()}
        write_result(results, 'reliability', result)
        markdown.update([docs / 'reliability.md'], _NAME, show(ordered))


def show(checks: dict[str, dict[str, Any]]) -> str:
    """The checks as Markdown.

    Args:
        checks: What is known of each.
    """
    parts = []
    for name, check in checks.items():
        # A module may have moved since the check ran.
        module = CHECKS[name].split()[0]
        arguments = check['command'].split()[3:]
        command = ' '.join(['python -m', module, *arguments])
        lines = '\n'.join(check['output'])
        parts.append(
            f'**{name[0].upper()}{name[1:]}** ({check["seconds"]} s):\n\n'
            f'```text\n$ {command}\n{lines}\n```'
        )
    return '\n\n'.join(parts)


def _check(command: str, root: Path) -> dict[str, Any]:
    arguments = [
        str(root) if argument == _ROOT else argument
        for argument in shlex.split(command)
    ]
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, '-m', *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )
    return {
        'command': f'python -m {command.replace(_ROOT, "data/ogb")}',
        'output': done.stdout.strip().splitlines(),
        'seconds': round(time.monotonic() - started),
    }


if __name__ == '__main__':
    run(main)
