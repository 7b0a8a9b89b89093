"""gmoe equals what it is timed against, in training too."""

import pytest
import torch
from torch_geometric.data import Batch, Data

from benchmarks.speed.stock import StockGNN
from gmoe.nn import ATOM_FEATURE_DIMS, GNN
from tests.graphs import random_attr, random_graph


def molecules(num_graphs=4):
    generator = torch.Generator().manual_seed(0)
    graphs = []
    for seed in range(num_graphs):
        graph = random_graph(8, 12, seed=seed)
        x = [
            torch.randint(d, (8,), generator=generator)
            for d in ATOM_FEATURE_DIMS
        ]
        graphs.append(
            Data(
                x=torch.stack(x, dim=1),
                edge_index=graph.edge_index,
                edge_attr=random_attr(12, generator),
            )
        )
    return Batch.from_data_list(graphs)


@pytest.mark.parametrize('conv', ['gcn', 'gin'])
@pytest.mark.parametrize('num_experts', [1, 4])
@pytest.mark.parametrize('training', [True, False])
def test_equal(conv, num_experts, training):
    torch.manual_seed(0)
    sizes = {'num_layers': 3, 'dropout': 0.0}
    mixture = {'num_experts': 4, 'top_k': 2} if num_experts > 1 else {}
    ours = GNN(
        conv=conv,
        hidden_channels=8,
        dispatch='dense',
        router_kwargs={'noise': False} if mixture else None,
        **mixture,
        **sizes,
    ).double()
    for name, parameter in ours.named_parameters():
        if 'router' in name:
            parameter.data.normal_()
    stock = StockGNN(conv, 8, **mixture, **sizes).double()
    if mixture:
        for layer in stock.layers:
            layer.router = layer.router.__class__(8, 4, 2, noise=False)
            layer.router.double()
    stock.copy_from(ours)
    data = molecules()
    out = ours.train(training)(
        data.x, data.edge_index, data.edge_attr, data.batch
    )
    expected = stock.train(training)(data)
    assert torch.allclose(out, expected, rtol=1e-9, atol=1e-11)
