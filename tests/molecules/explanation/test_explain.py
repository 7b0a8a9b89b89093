"""Explanations of whole sets of molecules, by networks of each kind."""

import csv

import numpy as np
import pytest

pytest.importorskip('rdkit')

from gmoe.datasets.molecules.info import MoleculeInfo
from gmoe.molecules.explanation import explain as module
from gmoe.molecules.explanation.attribution import Attribution
from gmoe.molecules.explanation.explain import Explainer
from gmoe.molecules.member import Member
from tests.molecules import tiny


def members(info=tiny.REGRESSION, count=1, **kwargs):
    return [
        Member(tiny.make_predictor(info, seed, **kwargs), info)
        for seed in range(count)
    ]


def rows(folder):
    with (folder / 'atoms.csv').open() as file:
        return list(csv.DictReader(file))


def test_an_ensemble(tmp_path):
    nets = members(count=2)
    explainer = Explainer(nets, tmp_path)
    explainer.add(0, 'OCC')
    explainer.add(1, 'C1CC')
    said = explainer.finish()
    assert said == ['1 molecule was refused: skipped.csv']
    found = rows(tmp_path)
    assert [row['symbol'] for row in found] == ['O', 'C', 'C']
    # The same molecule in another spelling, by one network alone.
    single = [0.0] * 3
    for i, net in enumerate(nets):
        folder = tmp_path / str(i)
        folder.mkdir()
        other = Explainer([net], folder)
        other.add(0, 'CCO')
        other.finish()
        for atom, row in enumerate(reversed(rows(folder))):
            single[atom] += float(row['attribution']) / 2
    for row, value in zip(found, single):
        assert float(row['attribution']) == pytest.approx(value, abs=1e-4)
    assert {row['expert_layer_1'] for row in found} <= set('0123')
    names = sorted(p.name for p in (tmp_path / 'molecules').iterdir())
    assert names == [
        f'00000_{kind}.{end}'
        for kind in ('attribution', 'experts')
        for end in ('png', 'svg')
    ]


@pytest.mark.parametrize('smiles', ['[Na+]', 'CC', 'c1ccccc1'])
def test_atoms_that_are_alike(smiles, tmp_path):
    explainer = Explainer(members(count=2), tmp_path)
    explainer.add(0, smiles)
    explainer.finish()
    for row in rows(tmp_path):
        assert row['attribution'] == '0'


def test_rounding_is_no_contribution(tmp_path, monkeypatch):
    kept = np.array([4e-7, -0.5, -4.8e-7])
    for name, values in (('occlusion', kept), ('integrated_gradients', -kept)):
        if name == 'integrated_gradients':
            values = Attribution(values, 1.0, 1.5)
        monkeypatch.setattr(module, name, lambda *_, found=values: found)
    explainer = Explainer(members(), tmp_path)
    explainer.add(0, 'CCO')
    explainer.finish()
    found = sorted(
        (row['attribution'], row['occlusion']) for row in rows(tmp_path)
    )
    assert found == [('0', '0'), ('0', '0'), ('0.5', '-0.5')]


def test_without_mixtures(tmp_path):
    kwargs = {'num_experts': 1, 'num_experts_1hop': 1, 'top_k': None}
    explainer = Explainer(members(**kwargs), tmp_path)
    explainer.add(0, '[Na+]')
    assert 'no mixtures' in explainer.finish()[0]
    assert set(rows(tmp_path)[0]) == {
        *('row', 'smiles', 'atom', 'symbol', 'target', 'attribution'),
        'occlusion',
    }
    assert len(list((tmp_path / 'molecules').iterdir())) == 2


def test_targets_and_classes(tmp_path):
    nets = members(tiny.SEVERAL, metric='accuracy')
    several = Explainer(nets, tmp_path)
    assert several.column is None
    several.add(0, 'CCO')
    assert several.finish() == []
    (kind,) = {row['target'] for row in rows(tmp_path)}
    assert kind.removeprefix('kind = ') in tiny.SEVERAL.classes
    assert (
        Explainer(
            members(tiny.SEVERAL, metric='accuracy'), tmp_path, 'base'
        ).column
        == 1
    )
    with pytest.raises(ValueError, match=r"'target' must be one of \['acid'"):
        Explainer(nets, tmp_path, 'kind')
    with pytest.raises(ValueError, match=r"'target' must be .*'toxic'"):
        Explainer(members(tiny.BINARY), tmp_path, 'x')


def test_the_first_of_several_targets(tmp_path):
    info = MoleculeInfo(('a', 'b'), 'regression', None)
    nets = members(info)
    for target, said in (('a', []), (None, ["'a' is explained, the first"])):
        explainer = Explainer(nets, tmp_path, target)
        explainer.add(0, 'CCO')
        for line, start in zip(explainer.finish(), said, strict=True):
            assert line.startswith(start)
        assert {row['target'] for row in rows(tmp_path)} == {'a'}


def test_few_are_drawn(tmp_path):
    explainer = Explainer(members(), tmp_path, max_drawn=0)
    explainer.add(0, 'CCO')
    assert '0 of 1 molecules are drawn' in explainer.finish()[0]
    assert not (tmp_path / 'molecules').exists()
    assert (tmp_path / 'report.html').exists()


def test_nothing_to_explain(tmp_path):
    explainer = Explainer(members(), tmp_path)
    explainer.add(0, 'C1CC')
    with pytest.raises(ValueError, match="'input' must have a molecule"):
        explainer.finish()
