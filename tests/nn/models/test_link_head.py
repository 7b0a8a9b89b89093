"""The heads of pairs, beside one pair at a time."""

import pytest
import torch

from gmoe.nn import LinkHead
from gmoe.nn.models import link_head


def make_inputs(dtype=torch.float64):
    torch.manual_seed(0)
    return torch.randn(7, 4, dtype=dtype), torch.randint(7, (2, 9))


@pytest.mark.parametrize('num_layers', [1, 2, 3])
def test_formula(num_layers):
    h, pairs = make_inputs()
    head = LinkHead(4, num_layers=num_layers, dropout=0.5).double().eval()
    expected = []
    for i, j in pairs.t().tolist():
        value = h[i] * h[j]
        for number, linear in enumerate(head.linears):
            value = linear.weight @ value + linear.bias
            if number < num_layers - 1:
                value = value.clamp(min=0)
        expected.append(value[0])
    torch.testing.assert_close(head(h, pairs), torch.stack(expected))
    dot = LinkHead(4, 'dot')
    expected = [h[i] @ h[j] for i, j in pairs.t()]
    torch.testing.assert_close(dot(h, pairs), torch.stack(expected))
    assert list(dot.parameters()) == []


def test_direction_does_not_count():
    h, pairs = make_inputs()
    head = LinkHead(4).double()
    assert torch.equal(head(h, pairs), head(h, pairs.flip(0)))


def test_parts_are_joined(monkeypatch):
    h, pairs = make_inputs()
    head = LinkHead(4).double()
    expected = head(h, pairs)
    monkeypatch.setattr(link_head, '_MAX_PART', 8)
    torch.testing.assert_close(head(h, pairs), expected)
    assert head(h, pairs[:, :0]).shape == (0,)


def test_dropout_in_training_only():
    h, pairs = make_inputs()
    head = LinkHead(4, dropout=0.5).double()
    assert not torch.equal(head(h, pairs), head(h, pairs))
    head.eval()
    assert torch.equal(head(h, pairs), head(h, pairs))
    before = head(h, pairs)
    head.reset_parameters()
    assert not torch.equal(head(h, pairs), before)
    assert repr(head) == "LinkHead(4, kind='mlp', num_layers=2)"


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'kind': 'sum'}, "'kind' must be one of"),
        ({'num_layers': 0}, "'num_layers' must be"),
        ({'dropout': 1.0}, "'dropout' must be in"),
    ],
)
def test_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        LinkHead(4, **kwargs)
    h, pairs = make_inputs()
    with pytest.raises(ValueError, match="'pairs' must be of shape"):
        LinkHead(4).double()(h, pairs.t())
