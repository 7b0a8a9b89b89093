"""How long runs take, from what is known."""

import pytest

from benchmarks.reproduce import search
from benchmarks.reproduce.estimate import Estimate
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.tables import load_table

CELLS = {cell.name: cell for cell in load_table('table2', 10).cells}


def record(run, seconds):
    return {
        'kind': 'network',
        'dataset': run.cell.dataset,
        'row': run.cell.row,
        'settings': run.cell.settings,
        'measured': {'seconds': seconds},
    }


def test_same_cell():
    run = Run(CELLS['molesol/gcn'], 0)
    estimate = Estimate([record(run, 20.0)], None)
    assert estimate.seconds(run) == pytest.approx(20)
    assert estimate.seconds(run, epochs_done=4) == pytest.approx(12)
    estimate.observe(run, 5, 15.0)
    assert estimate.seconds(run) == pytest.approx(30)


def test_other_settings_in_a_search():
    first, second, third = search.candidates([CELLS['molfreesolv/gmoe-gcn']])[
        :3
    ]
    estimate = Estimate([record(Run(first, 0), 20.0)], None)
    estimate.observe(Run(second, 0), 1, 4.0)
    assert estimate.seconds(Run(third, 0)) == pytest.approx(30)
    rest = [(Run(third, 0), 5), (Run(second, 0), 0)]
    assert estimate.total(rest) == pytest.approx(15 + 40)


def test_other_dataset(data_root):
    run = Run(CELLS['molfreesolv/gcn'], 0)
    estimate = Estimate([record(run, 20.0)], data_root / 'ogb')
    # By the molecules in their training splits.
    other = estimate.seconds(Run(CELLS['molesol/gcn'], 0))
    assert other == pytest.approx(20 * 902 / 513, rel=0.01)


def test_nothing_known():
    estimate = Estimate([], None)
    run = Run(CELLS['molesol/gcn'], 0)
    assert estimate.seconds(run) is None
    assert estimate.total([(run, 0)]) is None
    assert estimate.total([]) == 0
