"""The checks of the page on reliability."""

import importlib
import json
import shlex

import pytest

from benchmarks.common import markdown
from benchmarks.common.record import RESULTS, ROOT
from benchmarks.reliability import __main__ as reliability


@pytest.mark.parametrize('command', reliability.CHECKS.values())
def test_the_commands_are_there(command):
    module = importlib.import_module(shlex.split(command)[0])
    assert callable(module.main)


def test_the_page_shows_what_they_print():
    result = json.loads((RESULTS / 'reliability.json').read_text())
    assert list(result['checks']) == list(reliability.CHECKS)
    page = (ROOT / 'docs' / 'reliability.md').read_text()
    content = reliability.show(result['checks'])
    assert markdown.insert(page, 'benchmarks.reliability', content) == page


def test_one_check(tmp_path):
    page = tmp_path / 'reliability.md'
    page.write_text('\n'.join(markdown.markers('benchmarks.reliability')))
    command = 'tests.datasets.archive_fuzz --cases 50'
    reliability.CHECKS['small'] = command
    try:
        reliability.main(only=['small'], results=tmp_path, docs=tmp_path)
    finally:
        del reliability.CHECKS['small']
    assert f'$ python -m {command}\n' in page.read_text()
    assert "'ogb refused': " in page.read_text()


def test_unknown_check():
    with pytest.raises(ValueError, match="'only' must hold .* got 'nothing'"):
        reliability.main(only=['nothing'])
