from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from gmoe.datasets import OGBMolDataset
from gmoe.datasets.molecules.clusters import clusters
from gmoe.datasets.molecules.groups import molecules, scaffolds
from gmoe.datasets.molecules.molecule import prepare
from gmoe.datasets.molecules.splits import KINDS, split, split_by_parts

pytest.importorskip('rdkit')

GROUPS = {'cluster': clusters, 'random': molecules, 'stratified': molecules}


@pytest.fixture(scope='module')
def bbbp(data_root: Path):
    dataset = OGBMolDataset('ogbg-molbbbp', data_root / 'ogb', download=False)
    smiles = [prepare(dataset.smiles(i)).canonical for i in range(300)]
    return smiles + smiles[:30], dataset._data.y[:330].double().numpy()


def assert_parts(parts, size):
    joined = torch.cat(list(parts.values()))
    assert joined.sort().values.tolist() == list(range(size))
    assert list(parts) == ['train', 'valid', 'test']
    for index in parts.values():
        assert index.numel()
        assert index.equal(index.sort().values)


@pytest.mark.parametrize('kind', KINDS)
def test_parts(bbbp, kind: str):
    smiles, y = bbbp
    parts = split(kind, smiles, y, seed=1)
    assert_parts(parts, 330)
    sizes = [index.numel() for index in parts.values()]
    assert sizes == pytest.approx([264, 33, 33], abs=6)
    again = split(kind, smiles, y, seed=1)
    assert all(again[part].equal(parts[part]) for part in parts)
    is_seeded = kind not in ('scaffold', 'cluster')
    other = split(kind, smiles, y, seed=2)
    assert other['train'].equal(parts['train']) is not is_seeded
    part_of = {i: p for p, index in parts.items() for i in index.tolist()}
    for group in GROUPS.get(kind, scaffolds)(smiles):
        assert len({part_of[i] for i in group}) == 1


@pytest.mark.parametrize('kind', KINDS)
def test_folds(bbbp, kind: str):
    smiles, y = bbbp
    tested = []
    for fold in range(5):
        parts = split(kind, smiles, y, folds=5, fold=fold)
        assert_parts(parts, 330)
        following = split(kind, smiles, y, folds=5, fold=(fold + 1) % 5)
        assert parts['valid'].equal(following['test'])
        assert parts['test'].numel() == pytest.approx(66, abs=10)
        tested.append(parts['test'])
    assert torch.cat(tested).sort().values.tolist() == list(range(330))


@pytest.mark.parametrize('folds', [None, 4])
def test_stratified(folds):
    smiles = [f'{i}' for i in range(400)]
    y = np.zeros((400, 1))
    y[::13] = 1
    parts = split('stratified', smiles, y, folds=folds)
    for index in parts.values():
        assert y[index].sum() == pytest.approx(31 * len(index) / 400, abs=1)
    values = np.random.default_rng(0).normal(size=(400, 1))
    for index in split('stratified', smiles, values, folds=folds).values():
        assert abs(values[index].mean() - values.mean()) < 0.1
    classes = np.arange(400)[:, None] % 3 - 1.0
    for index in split('stratified', smiles, classes).values():
        counts = Counter(classes[index, 0].tolist())
        assert max(counts.values()) - min(counts.values()) <= 2


@pytest.mark.parametrize(
    'name', ['ogbg-molbace', 'ogbg-molesol', 'ogbg-molfreesolv']
)
def test_scaffold_split_is_that_of_ogb(data_root: Path, name: str):
    dataset = OGBMolDataset(name, data_root / 'ogb', download=False)
    smiles = [dataset.smiles(i) for i in range(len(dataset))]
    found = split('scaffold', [prepare(text).canonical for text in smiles])
    for part, index in dataset.get_idx_split().items():
        assert found[part].tolist() == sorted(index.tolist())


def test_scaffold_split_of_molecules_as_written(data_root: Path):
    """RDKit's scaffolds have stereo bonds that depend on the spelling, so
    that 4 of these molecules are in other parts by their canonical forms."""
    dataset = OGBMolDataset('ogbg-molbbbp', data_root / 'ogb', download=False)
    smiles = [dataset.smiles(i) for i in range(len(dataset))]
    found = split('scaffold', smiles)
    for part, index in dataset.get_idx_split().items():
        assert found[part].tolist() == sorted(index.tolist())


def test_parts_that_may_be_empty():
    smiles = ['C' * i for i in range(1, 21)]
    parts = split('random', smiles, shares=(0.9, 0.1, 0))
    assert [len(index) for index in parts.values()] == [18, 2, 0]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'kind': 'magic'}, "'split' must be one of"),
        ({'kind': 'stratified'}, "needs targets 'y'"),
        ({'kind': 'random', 'seed': -1}, "'seed' must be"),
        ({'kind': 'random', 'folds': 2}, "'folds' must be an integer >= 3"),
        (
            {'kind': 'random', 'folds': 5, 'fold': 5},
            "'fold' must be .* 0 to 4",
        ),
        ({'kind': 'random', 'fold': 1}, "'fold' must be"),
        ({'kind': 'random', 'shares': (0.8, 0.1)}, "'shares' must be three"),
        ({'kind': 'random', 'shares': (0.8, 0.8, 0.1)}, "'shares' must be"),
        ({'kind': 'random', 'shares': (1.5, 0.1, -0.6)}, r'in \[0, 1\)'),
        ({'kind': 'random', 'shares': (1, 0, 0)}, "'shares' must be three"),
        ({'kind': 'random', 'shares': ('a', 0, 0)}, "'shares' must be three"),
        ({'kind': 'scaffold'}, 'molecules for each part, got none'),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        split(smiles=['C' * i for i in range(1, 20)], **arguments)


def test_parts_that_are_given():
    part = ['test', 'train', 'valid', 'train']
    found = split_by_parts(part, ['C'] * 4)
    assert {name: index.tolist() for name, index in found.items()} == {
        'train': [1, 3],
        'valid': [2],
        'test': [0],
    }


def test_a_part_to_validate_on_is_drawn_from_the_training():
    part = ['train'] * 20 + ['test'] * 5
    smiles = ['C' * (i + 1) for i in range(25)]
    found = split_by_parts(part, smiles, seed=3)
    assert found['test'].tolist() == list(range(20, 25))
    assert len(found['valid']) == 2
    both = torch.cat([found['train'], found['valid']])
    assert both.sort().values.tolist() == list(range(20))
    with pytest.raises(ValueError, match='got none for'):
        split_by_parts(['train', 'test'], ['C', 'CC'])
