"""Tests one wheel with other versions of PyTorch than it was built with.

    python -m tools.check_wheel
    python -m tools.check_wheel --torch 2.11.0 --wheel dist/gmoe-....whl

For each version the wheel goes into a clean environment, where the tests of
the ops and of the layers run from a copy that has no sources of gmoe beside
it. pip's settings say which build of PyTorch that is; with the CUDA one an
environment takes seven gigabytes.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from venv import EnvBuilder
from xml.etree import ElementTree

from benchmarks.common.options import run
from benchmarks.common.place import Place, is_default
from benchmarks.common.record import ROOT, provenance, write_result
from tools.wheel import build, check

TESTS = ('tests/ops', 'tests/nn')
TOOLS = ('pytest', 'hypothesis')

# What is installed, said by the package itself.
PROBE = """
import json, gmoe.ops, torch
from gmoe.training.environment import environment
names = torch._C._dispatch_get_all_op_names()
print(json.dumps({
    'environment': environment(),
    'native': gmoe.ops.AVAILABLE,
    'ops': sorted({n.split('.')[0] for n in names if n.startswith('gmoe::')}),
    'package': gmoe.__file__,
}))
"""


def install(folder: Path, version: str, wheel: Path) -> Path:
    """Makes an environment, or refreshes the wheel in one that is there.

    Args:
        folder: The environment.
        version: The version of PyTorch.
        wheel: The wheel.

    Returns:
        The environment's Python.
    """
    python = folder / 'bin' / 'python'
    if not python.exists():
        EnvBuilder(with_pip=True).create(folder)
    pip = [str(python), '-m', 'pip', 'install', '-q']
    _run([*pip, f'torch=={version}', *TOOLS, str(wheel)])
    # Of the same version as before, perhaps, but another build.
    _run([*pip, '--force-reinstall', '--no-deps', str(wheel)])
    return python


def test(python: Path, folder: Path) -> dict[str, Any]:
    """Runs the tests on the installed package.

    Args:
        python: The environment's Python.
        folder: An empty folder, for the copy of the tests.

    Returns:
        What is installed and the counts of the tests.
    """
    ignore = shutil.ignore_patterns('__pycache__', 'results')
    for name in ('tests', 'benchmarks'):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    shutil.copy(ROOT / 'setup.cfg', folder)  # The settings of pytest.
    found = json.loads(_run([str(python), '-c', PROBE], folder))
    package = Path(found.pop('package'))
    if python.parent.parent not in package.parents:
        raise SystemExit(f"'{package}' is not the installed package")
    report = folder / 'report.xml'
    _run(
        [str(python), '-m', 'pytest', '-q', *TESTS, f'--junitxml={report}'],
        folder,
        capture=False,
    )
    return {**found, **counts(report)}


def counts(report: Path) -> dict[str, int]:
    """How many tests passed, failed and were skipped.

    Args:
        report: A report of pytest in JUnit's format; an error is counted as a
            failure.
    """
    totals = dict.fromkeys(('tests', 'failures', 'errors', 'skipped'), 0)
    for suite in ElementTree.parse(report).iter('testsuite'):
        for name in totals:
            totals[name] += int(suite.get(name, 0))
    failed = totals['failures'] + totals['errors']
    return {
        'passed': totals['tests'] - failed - totals['skipped'],
        'failed': failed,
        'skipped': totals['skipped'],
    }


def is_good(run: dict[str, Any]) -> bool:
    """Whether the fused ops were loaded, and all tests that ran passed."""
    return bool(run['native'] and run['passed'] and not run['failed'])


def main(
    torch: str = '2.10.0',
    wheel: Path | None = None,
    venv: Path | None = None,
    json_file: Path | None = None,
) -> None:
    """Runs the tests with each version and writes the results.

    Args:
        torch: The versions of PyTorch, with commas between them.
        wheel: The wheel; built here if not given.
        venv: A folder that keeps the environments, one for each version, and
            has those of an earlier run; they are temporary if not given.
        json_file: A file for the results. (default: the committed one for
            the default settings, one below ``runs`` for others)
    """
    if json_file is None:
        good = is_default(main, locals())
        json_file = Place.choose('wheel', good).results / 'wheel.json'
    record = {**provenance(), 'date': f'{datetime.now(timezone.utc):%F}'}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        built_with = record.pop('environment')['torch']
        if wheel:  # Built elsewhere, with what is not known.
            built_with = None
        wheel = wheel.resolve() if wheel else build(folder / 'dist')
        check(wheel)
        runs = []
        for version in torch.split(','):
            environment = (venv or folder).resolve() / f'torch-{version}'
            python = install(environment, version, wheel)
            runs.append(test(python, folder / f'copy-{version}'))
            if venv is None:
                shutil.rmtree(environment)
    record |= {'wheel': wheel.name, 'built_with': built_with, 'runs': runs}
    path = write_result(json_file.parent, json_file.stem, record)
    print(f"{json.dumps(runs, indent=1)}\nwritten to '{path}'")
    if not all(map(is_good, runs)):
        raise SystemExit('The wheel failed: see above.')


def _run(
    arguments: list[str], folder: Path = ROOT, capture: bool = True
) -> str:
    # What is there beside the environment should not be seen by it.
    hidden = ('PYTHONPATH', 'PYTHONHOME', 'VIRTUAL_ENV')
    done = subprocess.run(
        arguments,
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k not in hidden},
        stdout=subprocess.PIPE if capture else None,
        text=True,
    )
    if capture and done.returncode:
        raise SystemExit(f'{done.stdout}\nFailed: {shlex.join(arguments)}')
    return done.stdout


if __name__ == '__main__':
    run(main)
