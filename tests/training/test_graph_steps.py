"""The graphs of mini-batches; their hop-2 edges are tested with batches."""

import torch
from torch_geometric.data import Data

from gmoe.training.graph_steps import GraphSteps, mixed_seed


def test_what_is_kept():
    columns = torch.arange(6.0)[:, None]
    ends, node = torch.tensor([[0], [1]]), torch.tensor([4, 2, 5])
    given = Data(edge_index=ends, node=node, other=node)
    step = GraphSteps(None, True, columns).graph(given, 0)
    assert set(step.keys()) == {'edge_index', 'num_nodes', 'router_input'}
    assert step.num_nodes == 3
    assert step.router_input.tolist() == [[4], [2], [5]]


def test_mixed_seed():
    assert mixed_seed(1, 2) == mixed_seed(1, 2) != mixed_seed(2, 1)
