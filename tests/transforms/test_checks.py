import pytest
import torch
from torch_geometric.data import Batch, Data

from gmoe.transforms.checks import check_graph, node_ptr

EDGES = torch.tensor([[0, 1], [1, 0]])


def test_first_nodes():
    graphs = [Data(edge_index=EDGES, num_nodes=n) for n in (2, 5, 3)]
    assert node_ptr(graphs[1]).tolist() == [0, 5]
    batch = Batch.from_data_list(graphs)
    assert node_ptr(batch).tolist() == [0, 2, 7, 10]
    del batch.ptr
    assert node_ptr(batch).tolist() == [0, 2, 7, 10]


@pytest.mark.parametrize(
    ('data', 'error', 'message'),
    [
        (EDGES, TypeError, "'data' must be a 'Data'.*got 'Tensor'"),
        (Data(x=EDGES), ValueError, "'data' must have a tensor 'edge_index'"),
        (Batch(edge_index=EDGES), ValueError, "'data' must have a 'batch'"),
    ],
)
def test_refused_graphs(data, error, message):
    with pytest.raises(error, match=message):
        check_graph(data)
