"""The readout against a loop over graphs."""

import pytest
import torch

from gmoe.nn.readout import READOUTS, RootReadout


def slow(readout, h, is_root, edge_index, edge, batch, size):
    rows = []
    for graph in range(size):
        nodes = [i for i in range(len(h)) if batch[i] == graph]
        roots = [i for i in nodes if is_root[i]]
        edges = [e for e, s in enumerate(edge_index[0]) if int(s) in nodes]
        leaving = [e for e in edges if int(edge_index[0, e]) in roots]

        def mean(x, index):
            return x[index].mean(dim=0) if index else x.new_zeros(x.size(1))

        parts = {
            'root': mean(h, roots),
            'mean': mean(h, nodes),
            'max': h[nodes].max(dim=0).values if nodes else 0 * h[0],
            'edges': mean(edge, edges),
            'root_edges': mean(edge, leaving),
            'attention': 0 * h[0],
        }
        if nodes and readout.score is not None:
            weight = readout.score(h[nodes]).softmax(dim=0)
            parts['attention'] = (weight * h[nodes]).sum(dim=0)
        rows.append(torch.cat([parts[part] for part in readout.parts]))
    return torch.stack(rows)


@pytest.mark.parametrize(
    'parts', [READOUTS, *((part,) for part in READOUTS), ('mean', 'root')]
)
def test_loop(parts):
    torch.manual_seed(0)
    readout = RootReadout(4, 3, parts).double()
    # The third graph has no node, the fourth no edge and no root.
    batch = torch.tensor([0, 0, 0, 1, 1, 3, 3])
    is_root = torch.tensor([0, 1, 0, 1, 0, 0, 0])
    edge_index = torch.tensor([[1, 0, 1, 2, 3, 4], [0, 1, 2, 1, 4, 3]])
    h = torch.randn(7, 4).double().requires_grad_()
    edge = torch.randn(6, 3).double().requires_grad_()
    args = (h, is_root, edge_index, edge, batch, 4)
    out = readout(*args)
    assert out.shape == (4, readout.out_channels)
    assert torch.allclose(out, slow(readout, *args), atol=1e-12)
    out.square().sum().backward()
    assert (edge.grad is None) == (not any('edge' in part for part in parts))


def test_no_graph():
    readout = RootReadout(4, 3, READOUTS)
    none = torch.zeros(0, dtype=torch.long)
    out = readout(
        torch.zeros(0, 4), none, none.view(2, 0), torch.zeros(0, 3), none, 0
    )
    assert out.shape == (0, readout.out_channels)


@pytest.mark.parametrize('parts', [(), ('root', 'root'), ('first',)])
def test_refused(parts):
    with pytest.raises(ValueError, match="'readout' must be distinct"):
        RootReadout(4, 3, parts)


def test_repr_and_reset():
    readout = RootReadout(4, 3, ('root', 'attention'))
    assert str(readout) == 'RootReadout(root, attention)'
    readout.score.weight.data.fill_(9)
    readout.reset_parameters()
    assert (readout.score.weight.abs() <= 0.5).all()
