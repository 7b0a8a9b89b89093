import os
import subprocess
import sys

import pytest

from gmoe.datasets.ogb import info as ogb_info


def test_ogb_mol_info():
    names = ogb_info.ogb_mol_names()
    assert 'ogbg-molhiv' in names
    assert 'ogbg-ppa' not in names
    info = ogb_info.ogb_mol_info('ogbg-molmuv')
    assert (info.num_tasks, info.eval_metric) == (17, 'ap')
    assert info.task_type == 'binary classification'
    assert info.split == 'scaffold'
    assert info.dir_name == 'ogbg_molmuv'
    assert info.download_name == 'muv'
    assert info.url.endswith('/muv.zip')
    assert info.add_inverse_edge
    assert ogb_info.ogb_mol_info('ogbg-molesol').num_classes == -1


@pytest.mark.parametrize('name', ['ogbg-ppa', 'molhiv', '', 'ogbg_molhiv'])
def test_ogb_mol_info_unknown_name(name: str):
    with pytest.raises(ValueError, match=f"'ogbg-molhiv'.*{name!r}"):
        ogb_info.ogb_mol_info(name)


def test_import_ogb_starts_nothing():
    code = """
import os, sys, threading, types
os.environ.pop('OUTDATED_IGNORE', None)
import gmoe.datasets
assert 'ogb' not in sys.modules
from gmoe.datasets.ogb.info import import_ogb
evaluate = import_ogb('ogb.graphproppred.evaluate')
assert evaluate.Evaluator('ogbg-molhiv').eval_metric == 'rocauc'
version = import_ogb('ogb.version')
assert version.check_outdated is None
assert not hasattr(version, 'thread')
assert 'outdated' not in sys.modules
assert 'OUTDATED_IGNORE' not in os.environ

# What was imported before stays as it was.
for name in [n for n in sys.modules if n.split('.')[0] == 'ogb']:
    del sys.modules[name]
outdated = sys.modules['outdated'] = types.ModuleType('outdated')
os.environ['OUTDATED_IGNORE'] = '0'
assert import_ogb('ogb.version').check_outdated is None
assert sys.modules['outdated'] is outdated
assert os.environ['OUTDATED_IGNORE'] == '0'
"""
    subprocess.run(
        [sys.executable, '-c', code],
        check=True,
        timeout=60,
        env={**os.environ, 'PYTHONPATH': os.getcwd()},
    )


def test_ogb_errors():
    with pytest.raises(ValueError, match="module of 'ogb'.*'numpy'"):
        ogb_info.import_ogb('numpy')
    with pytest.raises(AttributeError, match='Evaluatr'):
        ogb_info.Evaluatr  # noqa: B018
