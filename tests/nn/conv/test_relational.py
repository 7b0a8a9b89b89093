"""The single relational convolution, term by term."""

import pytest
import torch

from gmoe.nn import RelationalConv
from tests.graphs import random_graph


def test_plain_convolution():
    conv = RelationalConv(4, 6, 3, 'gate')
    data = random_graph(dtype=torch.float32)
    edge_attr = torch.randn(14, 3)
    out = conv(data.x, data.edge_index, edge_attr)
    perm = torch.randperm(14)
    again = conv(data.x, data.edge_index[:, perm], edge_attr[perm])
    assert torch.allclose(out, again, atol=1e-6)
    before = conv.linear.weight.clone()
    conv.reset_parameters()
    assert not torch.equal(before, conv.linear.weight)
    with pytest.raises(ValueError, match="'edge_attr' must be given"):
        conv(data.x, data.edge_index)
    plain = RelationalConv(4, 6)
    assert plain(data.x, data.edge_index).shape == (9, 6)
