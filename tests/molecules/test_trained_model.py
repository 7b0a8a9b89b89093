"""Trained networks that predict."""

import random
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch_geometric.data import Batch

from gmoe.datasets.molecules.features import MoleculeFeatures
from gmoe.datasets.molecules.graphs import graphs_of
from gmoe.molecules.from_outputs import NOT_FINITE
from gmoe.molecules.trained_model import TrainedModel
from gmoe.molecules.uncertainty import ConformalIntervals
from gmoe.transforms import TwoHop
from tests.molecules import tiny


def network_alone(run, smiles, info=tiny.REGRESSION):
    """Predictions, one molecule after the other."""
    (member,) = TrainedModel.load(run).members
    rows = []
    for graph in graphs_of(smiles)[0]:
        batch = TwoHop()(Batch.from_data_list([graph]))
        with torch.no_grad():
            rows.append(member.to_prediction(member(batch)[0]))
    return torch.cat(rows).numpy()


@pytest.mark.parametrize('batch_size', [1, 2, 256])
def test_predicts_as_the_network_does(batch_size, tmp_path):
    run = tiny.write_run(tmp_path)
    smiles = ['', *tiny.SMILES, 'C1CC']
    out = TrainedModel.load(run).predict(smiles, batch_size=batch_size)
    expected = network_alone(run, tiny.SMILES)
    assert np.allclose(out.values[1:-1], expected, atol=1e-5)
    assert np.isnan(out.values[[0, -1]]).all()
    assert [bool(reason) for reason in out.reasons] == [True, *[False] * 5, 1]
    assert out.spread is None


def test_units_of_the_targets(tmp_path):
    """Standardised targets are undone."""
    predictor = tiny.make_predictor(standardize=True)
    path = tmp_path / 'best.ckpt'
    tiny.write_checkpoint(path, predictor)
    before = TrainedModel.load(path).predict(tiny.SMILES).values
    predictor.target_mean.fill_(100)
    predictor.target_std.fill_(3)
    tiny.write_checkpoint(path, predictor)
    after = TrainedModel.load(path).predict(tiny.SMILES).values
    assert np.allclose(after, 100 + 3 * before, rtol=1e-4)


def test_spelling_does_not_matter(tmp_path, data_root):
    from rdkit import Chem

    names = ('C[C@@H](O)[C@H](N)C(=O)O', '[Na+].CC(=O)[O-]', 'C/C=C/Cl')
    path = data_root / 'moleculenet' / 'BBBP.csv'
    smiles = [*names, *pd.read_csv(path)['smiles'][:30]]
    model = TrainedModel.load(tiny.write_run(tmp_path))
    expected = model.predict(smiles)
    random.seed(0)
    for _ in range(3):
        spelled = []
        for text in smiles:
            molecule = Chem.MolFromSmiles(text)
            order = list(range(molecule.GetNumAtoms()))
            random.shuffle(order)
            again = Chem.RenumberAtoms(molecule, order)
            spelled.append(Chem.MolToSmiles(again, canonical=False))
        assert spelled != smiles
        out = model.predict(spelled)
        assert np.array_equal(out.values, expected.values, equal_nan=True)


def test_intervals_of_an_ensemble(tmp_path):
    for i in range(3):
        tiny.write_run(tmp_path / f'member_{i}', seed=i)
    model = TrainedModel.load(tmp_path)
    assert len(model.members) == 3
    out = model.predict(tiny.SMILES, level=0.8)
    each = [
        network_alone(tmp_path / f'member_{i}', tiny.SMILES) for i in range(3)
    ]
    mean, spread = np.mean(each, axis=0), np.std(each, axis=0, ddof=1)
    assert np.allclose(out.values, mean, atol=1e-5)
    assert np.allclose(out.spread, spread, atol=1e-5)
    known = [part.prediction[:, 0] for part in model.calibration]
    fitted = ConformalIntervals(
        np.mean(known, axis=0),
        model.calibration[0].target[:, 0],
        np.std(known, axis=0, ddof=1),
    )
    expected = fitted(mean[:, 0], 0.8, spread[:, 0])
    assert np.allclose(out.intervals[:, 0], expected, atol=1e-3)
    assert (out.similarity[:3] == 1).all()
    assert (out.similarity[3:] < 1).all()


@pytest.mark.parametrize('info', [tiny.BINARY, tiny.SEVERAL])
def test_classes(info, tmp_path):
    model = TrainedModel.load(tiny.write_run(tmp_path, info, count=60))
    out = model.predict(['C1CC', *tiny.SMILES])
    raw = model.predict(['C1CC', *tiny.SMILES], calibrate='none')
    assert np.allclose(out.values[1:].sum(axis=2), 1)
    expected = network_alone(tmp_path, tiny.SMILES)
    if info is tiny.BINARY:
        expected = np.concatenate([1 - expected, expected], axis=1)
    assert np.allclose(raw.values[1:, 0], expected, atol=1e-5)
    assert not np.allclose(out.values[1:], raw.values[1:])
    assert np.array_equal(out.sets, raw.sets)
    assert not out.sets[0].any()
    assert out.classes[0] == -1


def test_features_beside_the_graph(tmp_path):
    features = MoleculeFeatures(['counts'])
    info = replace(tiny.REGRESSION, features=features.to_dict())
    predictor = tiny.make_predictor(info, graph_dims=2048)
    path = tmp_path / 'best.ckpt'
    tiny.write_checkpoint(path, predictor, info)
    out = TrainedModel.load(path).predict(['C1CC', *tiny.SMILES])
    graphs, _ = graphs_of(tiny.SMILES, features)
    batch = TwoHop()(Batch.from_data_list(graphs))
    with torch.no_grad():
        expected = predictor.to_prediction(predictor(batch)[0])
    assert np.allclose(out.values[1:], expected, atol=1e-5)


def test_without_calibration(tmp_path):
    model = TrainedModel.load(tiny.write_run(tmp_path, count=None))
    out = model.predict(tiny.SMILES)
    assert model.uncertainty is None
    assert out.intervals is out.similarity is None
    assert any('no intervals' in line for line in model.described())


def test_few_molecules_of_the_validation(tmp_path):
    model = TrainedModel.load(tiny.write_run(tmp_path, count=8))
    assert np.isinf(model.predict(tiny.SMILES).intervals).all()
    assert any('9 are needed' in line for line in model.described())
    assert not any('needed' in line for line in model.described(0.8))


@pytest.mark.parametrize(
    ('counts', 'start'),
    [
        ([9, 5, 8, 5], "'b' and 2 more are known of 5 to 8 validation"),
        ([9, 9, 5, 5], "'c' and 1 more are known of 5 validation"),
        ([9, 5, 9, 9], "'b' is known of 5 validation"),
    ],
)
def test_targets_of_few_molecules_are_one_line(tmp_path, counts, start):
    model = TrainedModel.load(tiny.write_run(tmp_path))
    model.info = replace(model.info, targets=('a', 'b', 'c', 'd'))
    model.uncertainty = SimpleNamespace(counts=counts)
    (line,) = [line for line in model.described() if 'needed' in line]
    assert line.startswith(start)


def test_other_processes_predict_the_same(tmp_path):
    model = TrainedModel.load(tiny.write_run(tmp_path))
    smiles = [*tiny.SMILES, 'C1CC'] * 20
    few, many = (
        model.predict(smiles, num_workers=n, batch_size=16) for n in (0, 2)
    )
    for name in ('values', 'intervals', 'similarity'):
        assert np.array_equal(
            getattr(few, name), getattr(many, name), equal_nan=True
        )
    assert few.reasons == many.reasons


def test_predictions_that_are_not_finite(tmp_path):
    predictor = tiny.make_predictor()
    with torch.no_grad():
        for value in predictor.gnn.head.parameters():
            value.fill_(np.inf)
    path = tmp_path / 'best.ckpt'
    tiny.write_checkpoint(path, predictor)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        out = TrainedModel.load(path).predict(tiny.SMILES)
    assert out.reasons == [NOT_FINITE] * len(tiny.SMILES)


def test_no_molecule(tmp_path):
    model = TrainedModel.load(tiny.write_run(tmp_path))
    assert model.predict([]).values.shape == (0, 1)
    assert model.predict(['']).intervals.shape == (1, 1, 2)


def test_ogb_is_said(tmp_path):
    path = tmp_path / 'best.ckpt'
    predictor = tiny.make_predictor(dataset='ogbg-molesol')
    tiny.write_checkpoint(path, predictor, None)
    model = TrainedModel.load(path)
    assert any('canonical form' in line for line in model.described())
    assert list(model.predict(['CCO']).columns())[0] == 'molesol_predicted'


def test_a_quantile_is_said(tmp_path):
    path = tmp_path / 'best.ckpt'
    predictor = tiny.make_predictor(loss='quantile', quantile=0.9)
    tiny.write_checkpoint(path, predictor)
    (line, *_) = TrainedModel.load(path).described()
    assert line == 'regression of solubility: the quantile 0.9 is predicted'


def test_what_is_refused(tmp_path):
    model = TrainedModel.load(tiny.write_run(tmp_path))
    for smiles in ('CCO', [1], [None]):
        with pytest.raises(TypeError, match="'smiles' must be a sequence"):
            model.predict(smiles)
    for arguments, name in (
        ({'level': 90}, 'level'),
        ({'calibrate': 'platt'}, 'calibrate'),
        ({'batch_size': 0}, 'batch_size'),
        ({'num_workers': -1}, 'num_workers'),
    ):
        with pytest.raises(ValueError, match=f"'{name}' must be"):
            model.predict(tiny.SMILES, **arguments)


def test_columns_beside_molecules(tmp_path):
    settings = MoleculeFeatures(['counts'], ['T', 'pH']).to_dict()
    info = replace(tiny.REGRESSION, features=settings)
    predictor = tiny.make_predictor(info, graph_dims=2050)
    tiny.write_checkpoint(tmp_path / 'a.ckpt', predictor, info)
    model = TrainedModel.load(tmp_path / 'a.ckpt')
    assert model.columns == ('T', 'pH')
    smiles = ['CCO', 'x', 'OCC', 'CC']
    columns = pd.DataFrame({'pH': [7, 7, 2, 7], 'T': [1, 1, None, 1]})
    out = model.predict(smiles, columns=columns, batch_size=2).values
    for i in (0, 2, 3):
        alone = model.predict([smiles[i]], columns=columns[i : i + 1])
        assert np.allclose(alone.values, out[i], atol=1e-5)
    assert not np.allclose(out[0], out[2], atol=1e-5)
    with pytest.raises(ValueError, match="'columns' must have 'T'"):
        model.predict(smiles, columns={'pH': [7] * 4})
    with pytest.raises(ValueError, match="'columns' must have"):
        model.predict(smiles)
