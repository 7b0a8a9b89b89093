"""The report: what is in it, and that it stands alone."""

import numpy as np
import pytest

pytest.importorskip('rdkit')

from gmoe.molecules.explanation.experts import LayerRouting
from gmoe.molecules.explanation.molecule import read_molecule
from gmoe.molecules.explanation.report import RoutingReport

SMILES = ['CCO', 'CC(=O)O', 'c1ccccc1O', 'CCOC', 'OCC(N)C', 'OCCO'] * 4


def report(num_members: int) -> RoutingReport:
    """Expert 1 takes oxygen, expert 0 the rest, and nothing is left."""
    made = RoutingReport('Experts <of> a & b')
    for smiles in SMILES:
        data = read_molecule(smiles).data
        gates = np.eye(3)[(data.x[:, 0] == 7).long().numpy()]
        routing = [LayerRouting(0, gates, 1)]
        made.add(smiles, [routing] * num_members)
    return made


def test_what_is_found():
    made = report(2)
    html, ratios = made.write()
    assert 'Experts &lt;of&gt; a &amp; b' in html
    assert 'expert 2' in made.warnings()[0]
    assert len(made.warnings()) == 1
    rows = [line.split(',') for line in ratios.splitlines()]
    oxygen = [r for r in rows if r[1:4] == ['1', 'atom type', 'O']]
    assert oxygen[0][-1] == '1'
    assert float(oxygen[0][5]) > 2
    assert '1.00' in html  # Two networks that are the same.
    assert '100%' in html


def test_it_stands_alone():
    html, _ = report(1).write()
    assert 'There is one network only' in html
    for word in ('<script', 'src=', '<link', '@import', 'url(http'):
        assert word not in html


def test_no_mixtures():
    made = RoutingReport('none')
    made.add('CCO', [[]])
    html, ratios = made.write()
    assert 'no mixtures of experts' in html
    assert len(ratios.splitlines()) == 1


def test_few_molecules():
    made = RoutingReport('few')
    gates = np.eye(2)[[0, 1, 0]]
    made.add('CCO', [[LayerRouting(0, gates, 1)]])
    assert 'too few' in made.warnings()[-1]
    assert 'Nothing: no property' in made.write()[0]
