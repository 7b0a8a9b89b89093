"""The runs of a cross-validation test on each molecule once a repetition."""

from collections import Counter

import pytest
import torch

from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds import molecules, network
from benchmarks.reproduce.kinds.parts import fold_of, parts_of
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.tables import load_table
from gmoe.datasets import OGBMolDataset


@pytest.fixture
def dataset(data_root):
    pytest.importorskip('rdkit')
    return OGBMolDataset('ogbg-molesol', data_root / 'ogb')


def job(table, seed, data_root, tmp_path):
    cells = load_table(table).select(None, ['molesol'])
    return Job(Run(cells[0], seed), data_root / 'ogb', tmp_path, '')


def test_folds(dataset, data_root, tmp_path):
    tested, others = Counter(), []
    for seed in range(10):
        parts = parts_of(job('folds', seed, data_root, tmp_path), dataset)
        joined = torch.cat(list(parts.values()))
        assert joined.unique().numel() == joined.numel() == len(dataset)
        for part, share in (('train', 0.6), ('valid', 0.2), ('test', 0.2)):
            assert len(parts[part]) == pytest.approx(1128 * share, rel=0.45)
        tested.update(parts['test'].tolist())
        if seed % 5 == 2:  # Two scaffolds are as large as folds.
            others.append(parts['test'].tolist())
    assert set(tested.values()) == {2}
    assert others[0] != others[1]


def test_order_of_the_runs():
    found = [fold_of({'folds': 5}, seed) for seed in (0, 4, 5, 9)]
    assert found == [(0, 0), (0, 4), (1, 0), (1, 4)]


def test_official_split(dataset, data_root, tmp_path):
    parts = parts_of(job('molecules', 0, data_root, tmp_path), dataset)
    assert len(parts['test']) == 113


def test_all_kinds_have_the_same_parts(dataset, data_root, tmp_path):
    own = job('folds', 3, data_root, tmp_path)
    parts = parts_of(own, dataset)
    for part, rows in molecules.load(own).parts.items():
        assert rows.tolist() == parts[part].tolist()
    (cell,) = load_table('table2').select(['molesol/tiny-gin'], None)
    cell.settings['split'] = own.run.cell.settings['split']
    other = Job(Run(cell, 3), data_root / 'ogb', tmp_path, '')
    data = network.make_data(other)
    data.setup('fit')
    for part, rows in data.splits.items():
        assert rows.tolist() == parts[part].tolist()
