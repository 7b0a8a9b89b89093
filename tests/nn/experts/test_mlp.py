import copy
import io

import pytest
import torch

from gmoe.nn import MLPExperts
from gmoe.routing import Router


def make(in_channels=8, hidden=8, out_channels=8, num_experts=3):
    torch.manual_seed(0)
    return MLPExperts(in_channels, hidden, out_channels, num_experts)


def routed(experts):
    torch.manual_seed(1)
    router = Router(experts.weight1.size(1), experts.weight1.size(0), 2)
    x = torch.randn(5, experts.weight1.size(1))
    routing = router(x)
    return x, routing, experts(x, routing)


def test_layout_is_that_of_the_other_banks():
    experts = make(4, 5, 6)
    shapes = {name: tuple(p.shape) for name, p in experts.named_parameters()}
    assert shapes == {
        'weight1': (3, 4, 5),
        'bias1': (3, 5),
        'weight2': (3, 5, 6),
        'bias2': (3, 6),
    }
    x, routing, out = routed(experts)
    h = torch.einsum('bi,nih->bnh', x, experts.weight1) + experts.bias1
    h = torch.einsum('bnh,nho->bno', h.relu(), experts.weight2)
    expected = ((h + experts.bias2) * routing.gates.unsqueeze(-1)).sum(1)
    torch.testing.assert_close(out, expected)


def test_the_op_takes_the_weights_without_a_copy():
    # Nor does training or a copy of the module change that.
    experts = make(4, 5, 6)
    routed(experts)[-1].sum().backward()
    torch.optim.Adam(experts.parameters()).step()
    for module in (experts, copy.deepcopy(experts), make().double()):
        assert module.weight1.transpose(1, 2).is_contiguous()
    assert experts.weight1.grad.stride() == experts.weight1.stride()


@pytest.mark.parametrize('sizes', [(8, 8, 8), (4, 5, 6)])
def test_state_dicts_are_those_of_earlier_versions(sizes):
    # Square weights do not tell by their shape how they are laid out.
    experts = make(*sizes)
    state = experts.state_dict()
    weight = experts.weight1.detach()
    assert torch.equal(state['weight1'], weight.transpose(1, 2))
    assert state['weight1'].is_contiguous()
    assert state['weight1'].data_ptr() == weight.data_ptr()
    # One that was saved without anything but its tensors.
    file = io.BytesIO()
    torch.save(dict(state), file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    other = MLPExperts(*sizes, 3)
    other.load_state_dict(saved)
    assert torch.equal(other.weight1, experts.weight1)
    assert torch.equal(saved['weight1'], state['weight1'])
    assert torch.equal(routed(other)[-1], routed(experts)[-1])
    nested = torch.nn.Sequential(MLPExperts(*sizes, 3))
    with torch.no_grad():
        nested.load_state_dict({f'0.{k}': v for k, v in saved.items()})
    assert torch.equal(nested[0].weight1, experts.weight1)


def test_the_numbers_drawn_are_those_of_earlier_versions():
    experts = make(4, 5, 6)
    torch.manual_seed(0)
    bound = 4**-0.5
    weight = torch.empty(3, 5, 4).uniform_(-bound, bound)
    assert torch.equal(experts.weight1.transpose(1, 2), weight)


def test_start_is_that_of_linear_layers():
    experts = make(100, 400, 25)
    for weight, bound in ((experts.weight1, 0.1), (experts.weight2, 0.05)):
        assert 0.9 * bound < weight.abs().max().item() <= bound


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((4, 4, 4, 2, 'sin'), "'activation' must be one of .*, got 'sin'"),
        ((0, 4, 4, 2), "'in_channels' must be an integer >= 1, got 0"),
        ((4, 4.5, 4, 2), "'hidden_channels' must be .*, got 4.5"),
        ((4, 4, 4, 0), "'num_experts' must be an integer >= 1, got 0"),
    ],
)
def test_refused_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        MLPExperts(*arguments)


def test_repr():
    assert repr(make(4, 5, 6, 2)) == (
        "MLPExperts(4, 5, 6, num_experts=2, activation='relu')"
    )
