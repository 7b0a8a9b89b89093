"""Captum's methods, through PyG, on layers with each bank."""

import pytest
import torch
from torch import nn
from torch_geometric.explain import Explainer
from torch_geometric.explain.algorithm import CaptumExplainer, GNNExplainer
from torch_geometric.nn import GATConv, GCNConv, SAGEConv

from gmoe.nn import (
    GCNExperts,
    GINExperts,
    GMoEConv,
    ModuleExperts,
    RelationalExperts,
)
from gmoe.transforms import TwoHop
from tests.explained import drawn
from tests.graphs import random_graph

pytest.importorskip('captum')

#: Masks of all nodes and edges, of a network that classifies nodes.
SETTINGS = {
    'explanation_type': 'model',
    'node_mask_type': 'attributes',
    'edge_mask_type': 'object',
    'model_config': {
        'mode': 'multiclass_classification',
        'task_level': 'node',
        'return_type': 'raw',
    },
}


def modules(channels, out, n, m):
    kinds = (GATConv, SAGEConv, GCNConv, SAGEConv)
    return ModuleExperts([kind(channels, out) for kind in kinds], m)


BANKS = {
    'gcn': GCNExperts,
    'gin': GINExperts,
    'relational': RelationalExperts,
    'module': modules,
}


class Network(nn.Module):
    def __init__(self, bank, m):
        super().__init__()
        self.conv = GMoEConv(bank(4, 8, 4, m), top_k=2)
        self.head = nn.Linear(8, 3)

    def forward(self, x, edge_index, edge_index_2hop):
        h = self.conv(x, edge_index, edge_index_2hop=edge_index_2hop)
        return self.head(h)


@pytest.mark.parametrize('bank', BANKS)
def test_after_an_explanation_by_learned_masks(bank):
    torch.manual_seed(0)
    model = drawn(Network(BANKS[bank], 2))
    data = TwoHop()(random_graph(dtype=torch.float32))
    masks = []
    for method in ('Saliency', None, 'Saliency'):
        explain = Explainer(
            model,
            CaptumExplainer(method) if method else GNNExplainer(epochs=2),
            **SETTINGS,
        )
        out = explain(
            data.x,
            data.edge_index,
            index=0,
            edge_index_2hop=data.edge_index_2hop,
        )
        masks.append(out.edge_mask)
    assert torch.equal(masks[0], masks[2])


@pytest.mark.parametrize('method', CaptumExplainer.SUPPORTED_METHODS)
@pytest.mark.parametrize('bank', BANKS)
@pytest.mark.parametrize('m', [4, 2])
def test_node_and_edge_masks(bank, method, m):
    torch.manual_seed(0)
    model = drawn(Network(BANKS[bank], m))
    data = TwoHop()(random_graph(dtype=torch.float32))
    arguments = (data.x, data.edge_index, data.edge_index_2hop)
    before = model(*arguments)
    kwargs = {'n_samples': 2} if method == 'ShapleyValueSampling' else {}
    kwargs |= {'n_steps': 4} if method == 'IntegratedGradients' else {}
    explain = Explainer(
        model,
        CaptumExplainer(method, **kwargs),
        **SETTINGS,
    )
    node = int(data.edge_index[1].bincount().argmax())
    out = explain(
        data.x, data.edge_index, index=node, edge_index_2hop=arguments[2]
    )
    assert out.validate()
    assert (out.edge_mask != 0).any()
    assert (out.node_mask[node] != 0).any()
    if m == 4:  # Nothing but the edges into the node matters.
        far = data.edge_index[1] != node
        assert (out.edge_mask[far] == 0).all()
    assert torch.equal(model(*arguments), before)
