import numpy as np
import pytest
import torch

from gmoe.nn.encoders.graph_features import CLIP, GraphFeatures

NAN, INF = float('nan'), float('inf')


def raw(num_graphs=400, seed=0):
    """A share, numbers of up to 30 digits, and a count that is mostly 0."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(num_graphs, 3, generator=generator)
    return torch.stack(
        [z[:, 0].sigmoid(), 10 ** (12 + 6 * z[:, 1]), (z[:, 2] > 1.5).float()],
        dim=1,
    )


def reference(train, x):
    """Column by column, with NumPy."""
    out = np.zeros(x.shape)
    for column in range(x.shape[1]):
        a = train[:, column].double().numpy()
        a = a[np.isfinite(a)]
        low, median, high = np.quantile(a, [0.25, 0.5, 0.75])
        spread = high - low or a.std()
        bent = np.arcsinh((a - median) / spread)
        b = np.arcsinh((x[:, column].double().numpy() - median) / spread)
        out[:, column] = (b - bent.mean()) / bent.std()
    return torch.from_numpy(np.nan_to_num(out).clip(-CLIP, CLIP)).float()


def test_equals_reference():
    train, x = raw(), raw(seed=1)
    train[3:9, 0], train[5, 1], x[2, 0], x[3, 1] = NAN, INF, NAN, INF
    features = GraphFeatures(3)
    features.fit(train)
    assert torch.allclose(features(x), reference(train, x), atol=1e-4)
    assert features(x)[2, 0] == 0  # The mean.
    assert features(x)[3, 1] == CLIP


def test_scale_is_one():
    train = raw(2000)
    features = GraphFeatures(3)
    features.fit(train)
    out = features(train)
    assert out.isfinite().all()
    assert out.mean(0).abs().max() < 0.05
    assert (out.std(0) - 1).abs().max() < 0.1


@pytest.mark.parametrize('value', [0.0, 0.1, 1e30, NAN, INF])
def test_constant_features_are_zero(value):
    features = GraphFeatures(2)
    train = raw()[:, :2]
    train[:, 1] = value
    train[:3, 1] = NAN
    features.fit(train)
    x = train[:5].clone()
    x[:, 1] = torch.tensor([value, NAN, INF, -1e38, 7.0])
    assert (features(x)[:, 1] == 0).all()
    assert all(b.isfinite().all() for b in features.buffers())


def test_many_features_are_those_one_by_one():
    train = torch.cat([raw(seed=seed) for seed in range(50)], dim=1)
    together = GraphFeatures(150)
    together.fit(train)
    for first in (0, 63, 147):
        alone = GraphFeatures(3)
        alone.fit(train[:, first : first + 3])
        expected = alone(train[:, first : first + 3])
        assert torch.equal(together(train)[:, first : first + 3], expected)


def test_one_graph():
    features = GraphFeatures(3)
    features.fit(raw(1))
    assert (features(raw()) == 0).all()


def test_state_is_kept():
    features, other = GraphFeatures(3), GraphFeatures(3)
    assert not other.is_fitted
    features.fit(raw())
    other.load_state_dict(features.state_dict())
    assert other.is_fitted
    assert torch.equal(other(raw()), features(raw()))
    other.reset_parameters()
    assert not other.is_fitted
    assert torch.equal(other(raw()), GraphFeatures(3)(raw()))


@pytest.mark.parametrize(
    'value', [torch.zeros(4, 2), torch.zeros(3), torch.zeros(4, 3).long(), 5]
)
def test_refused(value):
    features = GraphFeatures(3)
    with pytest.raises(ValueError, match=r"'graph_attr' must be .*\(B, 3\)"):
        features(value)
    with pytest.raises(ValueError, match="'values' must be"):
        features.fit(value)
