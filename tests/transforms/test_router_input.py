import math

import networkx as nx
import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.utils import to_networkx

from gmoe.nn import GCNExperts, GMoEConv
from gmoe.routing import Router
from gmoe.transforms import RouterInput
from tests.graphs import random_graph

ALL = ('degree', 'clustering', 'walks', 'agreement')


def plain(data: Data) -> nx.Graph:
    graph = to_networkx(data, to_undirected=False).to_undirected()
    graph.remove_edges_from(nx.selfloop_edges(graph))
    return nx.Graph(graph)


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('block', [1, 20, 2**22])
def test_columns(seed, block, monkeypatch):
    # The whole matrix at once, or two columns or one at a time.
    monkeypatch.setattr('gmoe.transforms.router_input._MAX_BLOCK', block)
    data = random_graph(9, 16, seed=seed)
    graph = plain(data)
    transform = RouterInput(ALL, num_walks=3)
    out = transform(data).router_input.double()
    assert out.shape == (9, transform.num_columns) == (9, 6)
    clustering = nx.clustering(graph)
    for node in range(9):
        near = list(graph[node])
        assert out[node, 0].item() == pytest.approx(math.log1p(len(near)))
        assert out[node, 1].item() == pytest.approx(clustering[node])
        for steps in (2, 3, 4):
            at = {node: 1.0}
            for _ in range(steps):
                after: dict = {}
                for place, share in at.items():
                    for other in graph[place]:
                        part = share / len(graph[place])
                        after[other] = after.get(other, 0) + part
                at = after
            expected = pytest.approx(at.get(node, 0), abs=1e-6)
            assert out[node, steps].item() == expected
        agreement = 0.0
        if near:
            mean = sum(data.x[j] for j in near) / len(near)
            x = data.x[node]
            agreement = float(x @ mean / (x.norm() * mean.norm()))
        assert out[node, 5].item() == pytest.approx(agreement, abs=1e-5)


def test_a_batch_is_its_graphs():
    sizes = [(5, 8), (1, 0), (3, 0), (7, 14)]
    graphs = [random_graph(*size, seed=i) for i, size in enumerate(sizes)]
    transform = RouterInput(ALL)
    singles = [transform(graph.clone()) for graph in graphs]
    batch = transform(Batch.from_data_list(graphs))
    after = Batch.from_data_list(singles)
    assert torch.allclose(batch.router_input, after.router_input, atol=1e-6)
    empty = transform(random_graph(0, 0))
    assert empty.router_input.shape == (0, transform.num_columns)


def test_a_layer_whose_router_sees_them():
    torch.manual_seed(0)
    transform = RouterInput(['degree', 'walks'])
    data = transform(random_graph(12, 30))
    router = Router(4 + transform.num_columns, 3, 1, noise=False)
    conv = GMoEConv(GCNExperts(4, 4, 3), router=router).double()
    torch.nn.init.normal_(router.score_gate.weight)
    given = data.router_input
    out, routing = conv(
        data.x, data.edge_index, router_input=given, return_routing=True
    )
    expected = router(torch.cat([data.x, given.double()], dim=1))
    assert torch.equal(routing.gates, expected.gates)
    assert out.shape == (12, 4)
    with pytest.raises(ValueError, match=r"'x' must have shape .*9\], got"):
        conv(data.x, data.edge_index)
    with pytest.raises(ValueError, match="'router_input' must"):
        conv(data.x, data.edge_index, router_input=given[:5])
    with pytest.raises(ValueError, match="'router_input' must .*int64"):
        conv(data.x, data.edge_index, router_input=given.long())


def test_refused():
    for columns in ([], 'degree', ['rank']):
        with pytest.raises(ValueError, match="'columns' must"):
            RouterInput(columns)
    with pytest.raises(ValueError, match="'num_walks' must be .* got 0"):
        RouterInput(num_walks=0)
    with pytest.raises(TypeError, match="'data' must be"):
        RouterInput()(3)
    data = Data(edge_index=torch.tensor([[0], [1]]), num_nodes=2)
    with pytest.raises(ValueError, match="'data' must have features 'x'"):
        RouterInput(['agreement'])(data)
    assert 'degree' in str(RouterInput())
