"""Sparse sums over neighbours against the dense matrix."""

import pytest
import torch

from gmoe.ops import Adjacency, neighbor_sum
from tests.devices import assert_same_bits


def make(num_nodes=7, num_edges=20, channels=3, seed=0):
    """Edges, loops and repeated ones among them, with weights, and rows."""
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(num_nodes, (2, num_edges), generator=generator)
    receiver = edges[1].sort()[0]
    adjacency = Adjacency.from_sorted(edges[0], receiver, num_nodes)
    x = torch.randn(num_nodes, channels, generator=generator).double()
    weight = torch.randn(num_edges, generator=generator).double()
    return adjacency, x.requires_grad_(), weight.requires_grad_()


def dense(adjacency, weight):
    n = adjacency.num_nodes
    at = adjacency.receiver, adjacency.sender
    return weight.new_zeros(n, n).index_put(at, weight, accumulate=True)


@pytest.mark.parametrize('weighted', [True, False])
@pytest.mark.parametrize('size', [(7, 20), (5, 0), (1, 3), (40, 30)])
def test_like_the_dense_product(size, weighted):
    adjacency, x, weight = make(*size)
    given = weight if weighted else torch.ones_like(weight)
    out = neighbor_sum(x, adjacency, weight if weighted else None)
    expected = dense(adjacency, given) @ x
    assert torch.allclose(out, expected, rtol=1e-12, atol=1e-12)
    inputs = [x, weight] if weighted else [x]
    cotangent = torch.randn_like(x)
    grads = torch.autograd.grad(out, inputs, cotangent)
    slow = torch.autograd.grad(expected, inputs, cotangent)
    for grad, slow_grad in zip(grads, slow):
        assert torch.allclose(grad, slow_grad, rtol=1e-12, atol=1e-12)


def test_every_derivative():
    adjacency, x, weight = make(5, 9, 2)

    def function(x, weight):
        return neighbor_sum(x, adjacency, weight)

    assert torch.autograd.gradcheck(function, (x, weight))
    assert torch.autograd.gradgradcheck(function, (x, weight))


def test_transposed():
    adjacency, _, weight = make()
    back, order = adjacency.transposed()
    assert (back.receiver.diff() >= 0).all()
    assert torch.equal(
        dense(back, weight[order]), dense(adjacency, weight).t()
    )
    assert adjacency.transposed()[0] is back


def test_nothing_of_edges_times_channels_is_kept():
    adjacency, x, weight = make(6, 500, 64)
    kept = []
    hooks = torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.append(t.numel()) or t, lambda t: t
    )
    with hooks:
        neighbor_sum(x, adjacency, weight)
    assert sorted(kept) == [6 * 64, 500]


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_small_numbers_are_summed_in_float32(dtype):
    adjacency = Adjacency.from_sorted(
        torch.zeros(4096, dtype=torch.long), torch.zeros(4096).long(), 1
    )
    x = torch.ones(1, 1, dtype=dtype, requires_grad=True)
    out = neighbor_sum(x, adjacency, torch.full((4096,), 0.25))
    assert out.dtype == dtype
    assert out.item() == 1024
    with torch.autocast('cpu', torch.bfloat16):
        row = torch.full((1, 1), 1.001)
        assert neighbor_sum(row, adjacency).item() > 4096


def test_bits_do_not_depend_on_threads():
    adjacency, x, weight = make(300, 4000, 16)

    def step():
        out = neighbor_sum(x, adjacency, weight)
        grads = torch.autograd.grad(out.square().sum(), [x, weight])
        return [out.detach(), *grads]

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = step()
        torch.set_num_threads(3)
        assert_same_bits(step(), one)
    finally:
        torch.set_num_threads(threads)


def test_compiled_it_is_one_graph():
    adjacency, x, weight = make()
    compiled = torch.compile(neighbor_sum, backend='aot_eager', fullgraph=True)
    out, expected = (f(x, adjacency, weight) for f in (compiled, neighbor_sum))
    assert torch.allclose(out, expected, rtol=1e-12, atol=1e-12)
    grads = [
        torch.autograd.grad(y.sum(), [x, weight]) for y in (out, expected)
    ]
    for grad, other in zip(*grads):
        assert torch.allclose(grad, other, rtol=1e-12, atol=1e-12)
    torch.compiler.reset()


def test_refusals():
    adjacency, x, weight = make()
    with pytest.raises(ValueError, match=r"'x' must have shape \[7, any\]"):
        neighbor_sum(x[1:], adjacency)
    with pytest.raises(ValueError, match=r"'weight' must have shape \[20\]"):
        neighbor_sum(x, adjacency, weight[1:])


def test_turned_weights_are_kept():
    """Until they are others, or change."""
    adjacency, x, weight = make()
    fixed = weight.detach()
    order = adjacency.transposed()[1]
    kept = adjacency.turned(fixed)
    assert torch.equal(kept, fixed[order])
    # A view of all of them, as each step takes one.
    assert adjacency.turned(fixed.split(len(fixed))[0]) is kept
    fixed.mul_(2)
    assert torch.equal(adjacency.turned(fixed), fixed[order])
    other = fixed.flip(0)
    assert torch.equal(adjacency.turned(other), other[order])
    assert adjacency.turned(weight).requires_grad
    for factor in (1, 3):
        used = fixed * factor
        (grad,) = torch.autograd.grad(
            neighbor_sum(x, adjacency, used).sum(), x
        )
        slow = dense(adjacency, used).sum(dim=0).unsqueeze(1).expand_as(x)
        torch.testing.assert_close(grad, slow)
