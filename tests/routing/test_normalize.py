import entmax
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gmoe.routing.normalize import NORMALIZATIONS

FUNCTIONS = {
    'softmax': torch.softmax,
    'sparsemax': entmax.sparsemax,
    'entmax15': entmax.entmax15,
}


def slow_sparsemax(row: list[float]) -> list[float]:
    """Martins and Astudillo 2016, algorithm 1."""
    ranked = sorted(row, reverse=True)
    support = max(
        k
        for k in range(1, len(row) + 1)
        if 1 + k * ranked[k - 1] > sum(ranked[:k])
    )
    threshold = (sum(ranked[:support]) - 1) / support
    return [max(value - threshold, 0) for value in row]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=6))
def test_weights_of_one_node(row):
    score = torch.tensor([row], dtype=torch.float64)
    for name, function in NORMALIZATIONS.items():
        weight = function(score)
        assert (weight >= 0).all()
        assert torch.allclose(weight.sum(), torch.ones(()).double())
        assert torch.equal(weight, FUNCTIONS[name](score, dim=-1))
    expected = torch.tensor([slow_sparsemax(row)]).double()
    sparse = NORMALIZATIONS['sparsemax'](score)
    assert torch.allclose(sparse, expected, atol=1e-6)


@pytest.mark.parametrize('name', NORMALIZATIONS)
@pytest.mark.parametrize('shape', [(0, 4), (1, 1), (3, 1)])
def test_shapes_at_the_edge(name, shape):
    score = torch.randn(shape, requires_grad=True)
    weight = NORMALIZATIONS[name](score)
    assert weight.shape == shape
    assert torch.allclose(weight.sum(dim=1), torch.ones(shape[0]))
    weight.sum().backward()
    assert score.grad.shape == shape


@pytest.mark.parametrize('name', NORMALIZATIONS)
def test_zeros(name):
    weight = NORMALIZATIONS[name](torch.tensor([[3.0, 0.0, -3.0]]))
    assert bool((weight == 0).any()) == (name != 'softmax')
    score = torch.randn(4, 5).double().requires_grad_()
    assert torch.autograd.gradcheck(NORMALIZATIONS[name], score)
