"""Small runs of benchmarks leave the committed results alone."""

import inspect
import json
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks.common import markdown
from benchmarks.common.place import Place, is_default
from benchmarks.common.record import RESULTS, ROOT

CHANGES = {
    'benchmarks.speed.allocators': {'epochs': 1},
    'tools.check_wheel': {'torch': '2.11.0'},
    'benchmarks.speed.epoch_profile': {'rounds': 1},
    'benchmarks.reliability.kill_check': {'kills': 1},
    'benchmarks.speed.ogb_script': {'rounds': 1},
    'benchmarks.speed.runner_cost': {'epochs': 2},
    'benchmarks.reproduce.statistics_gap': {'epochs': 1},
    'benchmarks.webnlg.tfidf_selection': {'splits': 2},
    'benchmarks.webnlg.draw': {'graphs': (1, 2)},
    'benchmarks.webnlg.parts': {'holdouts': (0,)},
}


@pytest.mark.parametrize('name', CHANGES)
def test_other_settings(name):
    main = import_module(name).main
    parameters = inspect.signature(main).parameters
    given = {key: value.default for key, value in parameters.items()}
    assert is_default(main, {**given, 'root': Path('elsewhere')})
    assert not is_default(main, {**given, **CHANGES[name]})
    # No place of files is that of the committed ones whatever the settings.
    committed = [RESULTS, ROOT / 'docs', ROOT / 'benchmarks']
    for value in given.values():
        if isinstance(value, Path):
            assert not any(value.is_relative_to(path) for path in committed)


def test_places(tmp_path, monkeypatch):
    docs = ROOT / 'docs'
    assert Place.choose('x', True) == Place(RESULTS, docs, False)
    own = ROOT / 'runs' / 'x'
    assert Place.choose('x', False) == Place(own, own, True)
    assert Place.choose('x', False, RESULTS) == Place(RESULTS, docs, False)
    assert Place.choose('x', True, tmp_path) == Place(tmp_path, tmp_path, True)
    other = tmp_path / 'docs'
    assert Place.choose('x', True, tmp_path, other).docs == other
    assert not Place.choose('x', True, tmp_path, other).is_own


def test_pages(tmp_path):
    place = Place(tmp_path / 'new', tmp_path / 'new', True)
    for content in ('a', 'b'):
        place.write_part('page.md', 'one', content)
        place.write_part('page.md', 'two', content * 2)
    text = (tmp_path / 'new' / 'page.md').read_text()
    for name, content in (('one', 'b'), ('two', 'bb')):
        begin, end = markdown.markers(name)
        assert f'{begin}\n\n{content}\n\n{end}' in text
    place.publish({'x': 1}, 'page.md', 'a.one', 'c')
    assert json.loads((place.results / 'one.json').read_text()) == {'x': 1}
    # In the documentation, a part has its place.
    with pytest.raises(FileNotFoundError):
        Place(tmp_path, tmp_path, False).write_part('page.md', 'one', 'a')
