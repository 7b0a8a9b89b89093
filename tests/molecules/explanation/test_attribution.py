import numpy as np
import pytest
import torch

pytest.importorskip('rdkit')

from gmoe.molecules.explanation import (
    integrated_gradients,
    occlusion,
)
from gmoe.molecules.explanation.attribution import score, without_noise
from gmoe.nn import EncodedGraph
from gmoe.transforms import TwoHop
from tests.molecules.explanation.networks import (
    NETWORKS,
    graph,
    predictor,
)


@pytest.mark.parametrize('name', NETWORKS)
@pytest.mark.parametrize('smiles', ['CC(=O)Nc1ccco1', '[Na+].[Cl-]'])
def test_the_sum_is_the_difference(name: str, smiles: str):
    model, data = predictor(name), graph(smiles)
    found = integrated_gradients(model, data)
    assert found.values.shape == (data.num_nodes,)
    out, _ = model(data)
    assert found.prediction == pytest.approx(out.item())
    unit = max(abs(found.prediction - found.baseline), 1)
    assert abs(found.gap) < 1e-3 * unit
    assert np.abs(found.values).max() > 0


def test_a_sum_over_many_small_steps():
    """The slow, obvious version, on a network without a mixture."""
    model, data = predictor('single'), graph('CC(=O)N')
    function = EncodedGraph(model.gnn, data, output=0)
    average = function.h.mean(dim=0).expand_as(function.h)
    way = function.h - average
    total = torch.zeros_like(function.h)
    steps = 60
    for i in range(steps):
        h = (average + (i + 0.5) / steps * way).requires_grad_()
        (gradient,) = torch.autograd.grad(function(h).sum(), h)
        total += gradient / steps
    expected = (total * way).sum(dim=1).detach().numpy()
    found = integrated_gradients(model, data)
    assert np.allclose(found.values, expected, atol=0.04)
    assert found.baseline == pytest.approx(function(average).item())


def test_captum_says_the_same():
    captum = pytest.importorskip('captum.attr')
    model, data = predictor('single'), graph('CC(=O)N')
    function = EncodedGraph(model.gnn, data, output=0)
    method = captum.IntegratedGradients(lambda h: function(h[0]))
    theirs = method.attribute(
        function.h.unsqueeze(0),
        baselines=function.h.mean(dim=0).expand_as(function.h).unsqueeze(0),
        n_steps=30,
        internal_batch_size=1,
    )
    found = integrated_gradients(model, data)
    expected = theirs[0].sum(dim=1).detach().numpy()
    assert np.allclose(found.values, expected, atol=0.04)


@pytest.mark.parametrize('smiles', ['[Na+]', 'CC', 'c1ccccc1'])
def test_atoms_that_are_all_alike(smiles: str):
    """None differs from the average of the molecule, so none stands out."""
    model, data = predictor('top1'), graph(smiles)
    found = integrated_gradients(model, data)
    assert np.allclose(found.values, 0, atol=1e-9)
    assert found.baseline == pytest.approx(found.prediction)
    assert np.allclose(occlusion(model, data), 0, atol=1e-9)


def test_units_of_the_target():
    model, data = predictor('top1', standardize=True), graph('CCO')
    model.objective.target_scale.mean.fill_(5.0)
    model.objective.target_scale.std.fill_(2.0)
    scaled = integrated_gradients(model, data)
    prediction = model.to_prediction(model(data)[0])
    assert scaled.prediction == pytest.approx(prediction.item(), rel=1e-5)
    model.objective.target_scale.mean.fill_(0.0)
    model.objective.target_scale.std.fill_(1.0)
    plain = integrated_gradients(model, data)
    model.objective.target_scale.std.fill_(3.0)
    assert np.allclose(
        3 * occlusion(predictor('top1'), data), occlusion(model, data)
    )
    assert np.allclose(scaled.values, 2 * plain.values, atol=2e-3)


def test_several_targets_and_log_odds():
    model = predictor('top1', 'binary classification', out_channels=3)
    data = graph('CCO')
    probability = model.to_prediction(model(data)[0])[0]
    for column in (0, 2):
        found = integrated_gradients(model, data, column)
        odds = torch.logit(probability[column].double())
        assert found.prediction == pytest.approx(odds.item(), abs=1e-4)
    with pytest.raises(ValueError, match="'column' must be .* from 0 to 2"):
        integrated_gradients(model, data, 3)


def test_log_odds_of_one_of_several_classes():
    model = predictor('top1', out_channels=3)
    model.task_type = 'multiclass classification'
    out, _ = model(graph())
    found = score(model, out, 1)
    assert torch.allclose(found, torch.logit(out.softmax(1)[:, 1]))


@pytest.mark.parametrize('name', NETWORKS)
def test_occlusion_one_by_one(name: str):
    model, data = predictor(name), graph('CC(=O)NC')
    function = EncodedGraph(model.gnn, data, output=0)
    found = occlusion(model, data)
    for atom in range(data.num_nodes):
        h = function.h.clone()
        h[atom] = function.h.mean(dim=0)
        expected = function(function.h) - function(h)
        assert found[atom] == pytest.approx(expected.item(), abs=1e-9)


@pytest.mark.parametrize('name', ['top1', 'single'])
def test_removal(name: str):
    """An end of a chain, without which the rest is the rest."""
    model, data = predictor(name), graph('CCO')
    found = occlusion(model, data, is_removed=True)
    rest = graph('CCO').subgraph(torch.tensor([0, 1]))
    out, _ = model(TwoHop()(rest))
    whole, _ = model(data)
    assert found[2] == pytest.approx((whole - out).item())
    assert np.isnan(occlusion(model, graph('C'), is_removed=True)).all()


def test_the_model_is_left_as_it_was():
    model, data = predictor('top1'), graph()
    before, _ = model(data)
    integrated_gradients(model, data)
    occlusion(model, data)
    assert torch.equal(model(data)[0], before)
    assert all(p.grad is None for p in model.parameters())


def test_the_noise_of_rounding():
    values = np.array([-1e-3, -4.8e-7, 0.0, 9e-5, 2.0])
    assert without_noise(values, -2.0).tolist() == [-1e-3, 0, 0, 9e-5, 2.0]
    assert without_noise(values, 20.0).tolist() == [-1e-3, 0, 0, 0, 2.0]
    assert without_noise(values, 0.0).tolist() == values.tolist()
