"""Every tensor of every op may lie in memory as it likes."""

import pytest
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from benchmarks.reliability.op_calls import record
from benchmarks.reliability.op_slips import LAYOUTS
from gmoe import ops
from gmoe.nn import GCNExperts, GMoEConv
from gmoe.ops import AVAILABLE
from tests.ops.gcn_case import make_gcn


@pytest.mark.skipif(not AVAILABLE, reason='no fused ops built')
@pytest.mark.parametrize('layout', LAYOUTS)
def test_same_results(layout):
    change = LAYOUTS[layout]
    for call in record(seed=5):
        flat, spec = pytree.tree_flatten(list(call.arguments))
        for at, tensor in enumerate(flat):
            if not isinstance(tensor, Tensor) or tensor.numel() == 0:
                continue
            real = tensor.is_floating_point()
            if not real and layout in ('expanded', 'negated'):
                continue
            odd = change(tensor)
            dense = odd.resolve_neg().clone(
                memory_format=torch.contiguous_format
            )
            results = []
            for value in (odd, dense):
                parts = [*flat[:at], value, *flat[at + 1 :]]
                arguments = tuple(pytree.tree_unflatten(parts, spec))
                results.append(call._replace(arguments=arguments).results())
            torch.testing.assert_close(*results, equal_nan=True)


def test_root_term_of_a_layer():
    torch.manual_seed(0)
    conv = GMoEConv(GCNExperts(4, 6, 3), top_k=2).eval()
    x, edge_index = torch.randn(5, 4), torch.randint(5, (2, 9))
    expected = conv(x, edge_index)
    root = conv.experts.root.detach().t().contiguous().t()
    conv.experts.root = torch.nn.Parameter(root)
    torch.testing.assert_close(conv(x, edge_index), expected)


def test_no_channels():
    # Outputs without elements are made without a division by their width.
    x, ptr = torch.randn(3, 2), torch.tensor([0, 3])
    assert ops.grouped_linear(x, torch.ones(1, 2, 0), None, ptr).shape == (
        3,
        0,
    )
    case = make_gcn()
    assert case().size(0) == case.message.node.numel()
