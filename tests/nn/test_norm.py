"""Per-expert normalisation against torch's own and a plain formula."""

import pytest
import torch
from torch import nn

from gmoe.nn import ExpertNorm
from gmoe.nn.norm import BatchNorm


def pointer(*sizes):
    return torch.tensor([0, *sizes]).cumsum(0)


def rows(num_rows, channels=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(num_rows, channels, generator=generator).double()
    return (2 * h + 1).requires_grad_()


def make_norm(num_experts, kind='batch_norm', channels=3):
    torch.manual_seed(0)
    norm = ExpertNorm(num_experts, channels, kind).double()
    for parameter in norm.parameters():
        parameter.data.normal_()
    return norm


def copy_to(plain, norm, expert):
    plain = plain.double()
    plain.weight.data = norm.weight.data[expert].clone()
    plain.bias.data = norm.bias.data[expert].clone()
    return plain


def test_one_expert_is_batch_norm():
    norm = make_norm(1)
    plain = copy_to(nn.BatchNorm1d(3), norm, 0)
    for step, training in enumerate((True, True, False, True, False)):
        h = rows(5 + step, seed=step)
        out = norm.train(training)(h, pointer(5 + step))
        expected = plain.train(training)(h)
        assert torch.allclose(out, expected, rtol=1e-12)
        grads = torch.autograd.grad(
            out.pow(3).sum(), [h, norm.weight, norm.bias]
        )
        slow = torch.autograd.grad(
            expected.pow(3).sum(), [h, plain.weight, plain.bias]
        )
        for grad, slow_grad in zip(grads, slow):
            assert torch.allclose(grad.view_as(slow_grad), slow_grad)
        assert torch.allclose(norm.running_mean[0], plain.running_mean)
        assert torch.allclose(norm.running_var[0], plain.running_var)


@pytest.mark.parametrize('kind', ['batch_norm', 'layer_norm'])
@pytest.mark.parametrize('training', [True, False])
def test_each_expert_by_itself(kind, training):
    sizes = (4, 2, 7)
    norm = make_norm(3, kind).train(training)
    h = rows(sum(sizes))
    out = norm(h, pointer(*sizes)).split(sizes)
    for expert, group in enumerate(h.split(sizes)):
        plain = nn.BatchNorm1d(3) if kind == 'batch_norm' else nn.LayerNorm(3)
        plain = copy_to(plain, norm, expert).train(training)
        assert torch.allclose(out[expert], plain(group), rtol=1e-10)
        if kind == 'batch_norm':
            running_mean = norm.running_mean[expert]
            assert torch.allclose(running_mean, plain.running_mean)


@pytest.mark.parametrize('kind', ['batch_norm', 'layer_norm'])
@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('sizes', [(0, 3, 1), (1, 3, 0), (0, 0, 0)])
def test_experts_with_few_rows(kind, training, sizes):
    norm = make_norm(3, kind).train(training)
    before = {key: value.clone() for key, value in norm.named_buffers()}
    h = rows(sum(sizes))
    out = norm(h, pointer(*sizes))
    assert out.shape == h.shape
    assert out.isfinite().all()
    out.pow(2).sum().backward()
    for value in (h, norm.weight, norm.bias):
        assert value.grad.isfinite().all()
    for name, buffer in norm.named_buffers():
        for expert, size in enumerate(sizes):
            changed = not torch.equal(buffer[expert], before[name][expert])
            assert changed == (training and size > 1)


def test_one_row_uses_the_running_statistics():
    norm = make_norm(2)
    norm.running_mean.fill_(0.5)
    norm.running_var.fill_(4.0)
    h = rows(1)
    out = norm(h, pointer(0, 1))
    expected = (h - 0.5) / (4 + norm.eps) ** 0.5
    assert torch.allclose(out, expected * norm.weight[1] + norm.bias[1])


@pytest.mark.parametrize('plain', [True, False])
def test_backward_after_another_forward(plain):
    # The statistics that a pass used are not those that the next one leaves.
    if plain:
        norm = BatchNorm(3).double()
        call = norm
    else:
        norm = make_norm(1)

        def call(h):
            return norm(h, pointer(h.size(0)))

    h = rows(1)
    loss = call(h).pow(2).sum()
    inputs = (h, norm.weight)
    expected = torch.autograd.grad(loss, inputs, retain_graph=True)
    call(rows(8, seed=1))
    for grad, expected_grad in zip(
        torch.autograd.grad(loss, inputs), expected
    ):
        assert torch.equal(grad, expected_grad)


@pytest.mark.parametrize('kind', ['batch_norm', 'layer_norm'])
def test_gradcheck(kind):
    norm, ptr = make_norm(3, kind), pointer(3, 0, 1)
    assert torch.autograd.gradcheck(
        lambda h, *_: norm(h, ptr), (rows(4), norm.weight, norm.bias)
    )


def test_reset_repr_state_and_bad_kind():
    norm = make_norm(2)
    norm(rows(4), pointer(2, 2))
    other = ExpertNorm(2, 3).double()
    other.load_state_dict(norm.state_dict())
    assert torch.equal(other.running_var, norm.running_var)
    norm.reset_parameters()
    fresh = ExpertNorm(2, 3).double().state_dict()
    for name, value in norm.state_dict().items():
        assert torch.equal(value, fresh[name])
    layer_norm = ExpertNorm(2, 3, 'layer_norm')
    layer_norm.reset_parameters()
    assert list(layer_norm.state_dict()) == ['weight', 'bias']
    assert str(norm) == "ExpertNorm(2, 3, kind='batch_norm')"
    with pytest.raises(ValueError, match="'kind' must be one of .*'group'"):
        ExpertNorm(2, 3, 'group')


@pytest.mark.parametrize('training', [True, False])
def test_batch_norm(training):
    norm, plain = BatchNorm(3).double(), nn.BatchNorm1d(3).double()
    for module in (norm, plain):
        module.train(training)
    h = rows(6)
    assert torch.allclose(norm(h), plain(h))
    for name, value in plain.state_dict().items():
        assert torch.equal(norm.state_dict()[name], value)
    before = {k: v.clone() for k, v in norm.state_dict().items()}
    one = rows(1, seed=1)
    out = norm(one)
    assert torch.allclose(out, plain.eval()(one))
    out.sum().backward()
    assert one.grad.isfinite().all()
    for name, value in norm.state_dict().items():
        assert torch.equal(value, before[name])
