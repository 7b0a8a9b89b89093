import math

import pytest
import torch

from gmoe.routing import AttentionScore, CosineScore, LinearScore


def test_linear_score():
    score = LinearScore(3, 4).double()
    assert score.weight.abs().sum() == 0
    score.weight.data.normal_()
    x = torch.randn(5, 3).double()
    expected = torch.stack([row @ score.weight for row in x])
    assert torch.allclose(score(x), expected)
    score.reset_parameters()
    assert score.weight.abs().sum() == 0


@pytest.mark.parametrize('hidden_channels', [None, 7])
def test_attention_score(hidden_channels):
    torch.manual_seed(0)
    score = AttentionScore(3, 4, hidden_channels).double()
    size = hidden_channels or 3
    assert score.query.shape == (3, size)
    assert score.embedding.shape == (4, size)
    x = torch.randn(5, 3).double()
    expected = [
        [
            (row @ score.query @ embedding).item() / math.sqrt(size)
            for embedding in score.embedding
        ]
        for row in x
    ]
    assert torch.allclose(score(x), torch.tensor(expected).double())


def test_attention_score_learns_from_the_start():
    torch.manual_seed(0)
    score = AttentionScore(3, 4)
    score(torch.randn(5, 3)).square().sum().backward()
    for parameter in score.parameters():
        assert parameter.grad.abs().sum() > 0
    before = [p.detach().clone() for p in score.parameters()]
    score.reset_parameters()
    bound = math.sqrt(6 / 6)
    assert score.query.abs().max() <= bound
    for old, new in zip(before, score.parameters()):
        assert not torch.equal(old, new)


def test_cosine_score():
    torch.manual_seed(0)
    score = CosineScore(3, 2).double()
    x = torch.randn(5, 3).double()
    expected = [
        [float(row @ w / (row @ row).sqrt() / (w @ w).sqrt()) for w in weight]
        for weight in [score.weight.detach()]
        for row in x
    ]
    assert torch.allclose(score(x), torch.tensor(expected).double())
    assert torch.equal(score(torch.zeros(1, 3).double()), torch.zeros(1, 2))
    product = score.weight @ score.weight.t()
    assert torch.allclose(product, torch.eye(2).double(), atol=1e-6)


@pytest.mark.parametrize('kind', [LinearScore, AttentionScore, CosineScore])
def test_type_of_the_input(kind):
    score = kind(3, 4)
    assert score(torch.randn(5, 3).double()).dtype == torch.float64
    assert score(torch.randn(0, 3)).shape == (0, 4)
