"""How the test reports of a wheel are read."""

from pathlib import Path

import pytest

from tools.check_wheel import counts, is_good

SUITE = '<testsuite tests="{}" failures="{}" errors="{}" skipped="{}"/>'


def report(folder: Path, *suites):
    path = folder / 'report.xml'
    inner = ''.join(SUITE.format(*suite) for suite in suites)
    path.write_text(f'<testsuites>{inner}</testsuites>')
    return path


def test_counts(tmp_path):
    path = report(tmp_path, (9, 1, 2, 3), (4, 0, 0, 1))
    assert counts(path) == {'passed': 6, 'failed': 3, 'skipped': 4}


@pytest.mark.parametrize(
    ('native', 'passed', 'failed', 'good'),
    [
        (True, 5, 0, True),
        (True, 5, 1, False),
        (True, 0, 0, False),  # No tests were found.
        (False, 5, 0, False),  # Only the eager versions were tested.
    ],
)
def test_is_good(native, passed, failed, good):
    run = {'native': native, 'passed': passed, 'failed': failed}
    assert is_good(run) == good
