"""The part of every result file that says how it was made."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from gmoe.common.files import replace_text

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / 'benchmarks' / 'results'


def command() -> str:
    """The command that runs, with what depends on the machine left out."""
    module = sys.modules['__main__'].__spec__
    name = 'python'
    if module is not None:
        name += f' -m {module.name.removesuffix(".__main__")}'
    return shlex.join([*name.split(), *_public(sys.argv[1:])])


def provenance() -> dict[str, Any]:
    """The command, the commit, the versions and the hardware."""
    # Not above: it takes seconds, which only those who call this shall wait.
    from gmoe.training.environment import environment

    return {
        'command': command(),
        'commit': _git('rev-parse', 'HEAD'),
        'uncommitted_changes': bool(
            _git('status', '--porcelain', '--', 'gmoe', 'benchmarks/*.py')
        ),
        'environment': environment(),
        'processor': _processor(),
        'num_cpus': os.cpu_count(),
    }


def write_result(folder: Path, name: str, result: dict[str, Any]) -> Path:
    """Writes a result file in a folder.

    Args:
        folder: The folder.
        name: The file's name without its ending.
        result: The result, as plain values.
    """
    path = folder / f'{name}.json'
    write_json(path, result)
    return path


def read_result(name: str) -> dict[str, Any] | None:
    """A committed result, :obj:`None` if there is none.

    Args:
        name: The file's name without its ending.
    """
    path = RESULTS / f'{name}.json'
    return json.loads(path.read_text()) if path.exists() else None


def write_json(path: Path, result: dict[str, Any]) -> None:
    """Writes a result file, whole or not at all.

    Args:
        path: The file.
        result: The result, as plain values.
    """
    replace_text(path, json.dumps(result, indent=1, allow_nan=False) + '\n')


def _public(arguments: list[str]) -> list[str]:
    # Where folders are is a matter of the machine: of the data's, what is
    # below it stays, and of others their own names.
    root = os.environ.get('GMOE_DATA_ROOT')
    if root:
        arguments = [a.replace(root, '$GMOE_DATA_ROOT') for a in arguments]
    return [
        re.sub(r'(^|=)[/~](?:[^=]*/)?(?=[^/]+/?$)', r'\1.../', argument)
        for argument in arguments
    ]


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ['git', *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _processor() -> str:
    info = Path('/proc/cpuinfo')
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor()
