"""PyG's explainers on networks and layers with mixtures, end to end."""

import pytest
import torch
from torch import nn
from torch_geometric.explain import (
    AttentionExplainer,
    DummyExplainer,
    Explainer,
    GNNExplainer,
    PGExplainer,
)
from torch_geometric.explain.algorithm.utils import clear_masks, set_masks
from torch_geometric.nn import GAT, GCN, GraphSAGE, SAGEConv

from gmoe.nn import GCNExperts, GINExperts, GMoEConv, to_gmoe
from gmoe.transforms import TwoHop
from tests.explained import (
    NETWORKS,
    arguments,
    drawn,
    make_gnn,
    molecule,
)
from tests.graphs import random_graph
from tests.nn.models.test_triple_gnn import graph as triples
from tests.nn.models.test_triple_gnn import make as make_triple_gnn

# Only edge 2 leads to node 0.
EDGES = torch.tensor([[2, 0, 1, 3], [3, 1, 0, 2]])


def explainer(model, algorithm, level='node', node_mask='attributes'):
    return Explainer(
        model,
        algorithm,
        explanation_type='phenomenon'
        if isinstance(algorithm, PGExplainer)
        else 'model',
        node_mask_type=node_mask,
        edge_mask_type='object',
        model_config={
            'mode': 'regression',
            'task_level': level,
            'return_type': 'raw',
        },
    )


@pytest.mark.parametrize('trained', [False, True])
@pytest.mark.parametrize('m', [2, 1])
def test_the_edge_that_leads_to_a_node(trained, m):
    torch.manual_seed(0)
    model = to_gmoe(SAGEConv(8, 8), 2, top_k=2, num_experts_1hop=m).eval()
    model = drawn(model) if trained else model
    x = torch.randn(4, 8)
    before = model(x, EDGES)
    explain = explainer(model, GNNExplainer(epochs=3))
    mask = explain(x, EDGES, index=0).edge_mask
    # Where there are hop-2 experts, 3 -> 2 -> 3 is none and 2 -> 3 -> 2
    # neither; no other path of two edges leads to node 0.
    assert (mask > 0).tolist() == [False, False, True, False]
    assert torch.equal(model(x, EDGES), before)


class Network(nn.Module):
    """Layers in a network of one's own, of nodes or of one graph."""

    def __init__(self, level):
        super().__init__()
        self.level = level
        self.convs = nn.ModuleList(
            [
                GMoEConv(GCNExperts(4, 8, 4), top_k=2),
                GMoEConv(GINExperts(8, 2, 4), top_k=2),
            ]
        )

    def forward(self, x, edge_index):
        for conv in self.convs:
            x = conv(x, edge_index)
        return x if self.level == 'node' else x.mean(dim=0, keepdim=True)


MODELS = {
    'layers': lambda level: Network(level),
    'sage': lambda level: to_gmoe(GraphSAGE(4, 8, 2, 2), 3, 2),
    'sage_2hop': lambda level: to_gmoe(GraphSAGE(4, 8, 2, 2), 3, 2, 1),
    'gat': lambda level: to_gmoe(GAT(4, 8, 2, 2), 3, 2),
    'gcn': lambda level: to_gmoe(GCN(4, 8, 2, 2), 3, 2),
}


@pytest.mark.parametrize('level', ['node', 'graph'])
@pytest.mark.parametrize('name', MODELS)
def test_models(name, level):
    model = drawn(MODELS[name](level))
    data = random_graph(dtype=torch.float32)
    before = model(data.x, data.edge_index).detach()
    index = 3 if level == 'node' else None
    for algorithm in (DummyExplainer(), GNNExplainer(epochs=3)):
        explain = explainer(model, algorithm, level)
        out = explain(data.x, data.edge_index, index=index)
        assert out.edge_mask.shape == (14,)
        assert out.validate()
        again = model(data.x, data.edge_index)
        assert torch.equal(again, before)
    assert (out.edge_mask > 0).any()

    algorithm = PGExplainer(epochs=2)
    explain = explainer(model, algorithm, level, None)
    for epoch in range(2):
        loss = algorithm.train(
            epoch, model, data.x, data.edge_index, target=before, index=index
        )
        assert torch.tensor(loss).isfinite()
    out = explain(data.x, data.edge_index, index=index, target=before)
    assert (out.edge_mask > 0).any()
    assert torch.equal(model(data.x, data.edge_index), before)


def test_attention_is_in_the_order_of_the_edges():
    model = GAT(4, 8, 1, heads=2)
    data = random_graph(dtype=torch.float32)
    mixture = drawn(to_gmoe(model, 2, top_k=1, num_experts_1hop=2))
    for expert in mixture.convs[0].conv.experts.experts:
        expert.load_state_dict(model.convs[0].state_dict())
    masks = [
        explainer(m, AttentionExplainer(), node_mask=None)(
            data.x, data.edge_index
        ).edge_mask
        for m in (model, mixture)
    ]
    assert torch.allclose(*masks)


@pytest.mark.parametrize('name', NETWORKS)
def test_networks_of_molecules(name):
    model, data = make_gnn(name), molecule()
    before = model(data.x, data.edge_index, **arguments(data))
    for algorithm in (DummyExplainer(), GNNExplainer(epochs=3)):
        explain = explainer(model, algorithm, 'graph', None)
        out = explain(data.x, data.edge_index, **arguments(data))
        assert (out.edge_mask > 0).all()
        again = model(data.x, data.edge_index, **arguments(data))
        assert torch.equal(again, before)


@pytest.mark.parametrize('name', ['gin', 'single', 'one_layer'])
def test_a_masked_bond_is_one_that_is_not_there(name):
    model, data = make_gnn(name).double(), molecule()
    paths = data.clone()
    paths.edge_attr = torch.arange(12)
    paths = TwoHop()(paths).edge_attr_2hop
    for edge in range(12):
        mask = (torch.arange(12) != edge).double()
        set_masks(model, mask, data.edge_index, apply_sigmoid=False)
        out = model(data.x, data.edge_index, **arguments(data))
        clear_masks(model)
        keep = (paths != edge).all(dim=1)
        expected = model(
            data.x,
            data.edge_index[:, mask > 0],
            data.edge_attr[mask > 0],
            edge_index_2hop=data.edge_index_2hop[:, keep],
            edge_attr_2hop=data.edge_attr_2hop[keep],
        )
        assert torch.allclose(out, expected)


@pytest.mark.parametrize(
    'kwargs',
    [
        {},
        {'conv': 'relational', 'num_experts': 1, 'num_experts_1hop': 0},
        {'num_layers': 0, 'readout': ['root', 'edges']},
    ],
)
def test_networks_of_triples(kwargs):
    model, data = drawn(make_triple_gnn(**kwargs)), TwoHop()(triples(5))
    before = model(data.x, data.edge_index, **arguments(data))
    explain = explainer(model, GNNExplainer(epochs=3), 'graph', None)
    out = explain(data.x, data.edge_index, **arguments(data))
    assert (out.edge_mask > 0).any()
    assert torch.equal(
        model(data.x, data.edge_index, **arguments(data)), before
    )


@pytest.mark.parametrize('name', ['gnn', 'to_gmoe'])
def test_a_failure_leaves_no_mask(name):
    if name == 'gnn':
        data, model = molecule(), make_gnn('one_layer')
        kwargs = arguments(data)
    else:
        data, kwargs = random_graph(dtype=torch.float32), {}
        model = drawn(MODELS['sage']('node'))
    before = model(data.x, data.edge_index, **kwargs)
    set_masks(model, torch.ones(3), data.edge_index[:, :3])
    with pytest.raises(ValueError, match="'edge_mask' must have one value"):
        model(data.x, data.edge_index, **kwargs)
    assert torch.equal(model(data.x, data.edge_index, **kwargs), before)
