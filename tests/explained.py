"""Networks and a molecule for tests of explanations."""

import torch

from gmoe.nn import GNN
from gmoe.transforms import TwoHop
from tests.graphs import EDGE_DIMS, random_graph


def drawn(model):
    """With experts and routers that differ."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data.normal_(generator=generator)
    return model.eval()


NETWORKS = {
    'gcn': {'num_experts': 4, 'top_k': 2, 'num_experts_1hop': 2},
    'gin': {'conv': 'gin', 'num_experts': 4, 'top_k': 2},
    'relational': {'conv': 'relational', 'num_experts': 4, 'top_k': 2},
    'linear_gcn': {'conv': 'linear_gcn', 'num_experts': 4, 'top_k': 2},
    'single': {'conv': 'gin'},
    'single_2hop': {'conv': 'gin', 'num_experts_1hop': 0},
    'one_layer': {
        'conv': 'gin',
        'num_experts': 4,
        'top_k': 2,
        'num_experts_1hop': 2,
        'moe_layers': [0],
    },
}


def make_gnn(name):
    return drawn(
        GNN(
            hidden_channels=8,
            num_layers=2,
            node_dims=(5, 3),
            edge_dims=EDGE_DIMS,
            **NETWORKS[name],
        )
    )


def molecule():
    """Both directions of a bond side by side, as OGB has them."""
    pairs = torch.tensor([[0, 1], [2, 1], [2, 3], [4, 0], [5, 3], [5, 6]])
    data = random_graph(7, 6)
    data.edge_attr = data.edge_attr.repeat_interleave(2, dim=0)
    both = torch.stack([pairs, pairs.flip(1)], dim=1)
    data.edge_index = both.view(-1, 2).t().contiguous()
    data.x = torch.arange(14).view(7, 2) % torch.tensor([5, 3])
    return TwoHop()(data)


def arguments(data):
    return {
        'edge_attr': data.edge_attr,
        'edge_index_2hop': data.edge_index_2hop,
        'edge_attr_2hop': data.edge_attr_2hop,
    }
