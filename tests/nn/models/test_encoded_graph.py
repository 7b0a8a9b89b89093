"""A network as a function of encoded nodes, and explained as one."""

import pytest
import torch
from torch_geometric.data import Batch
from torch_geometric.explain import Explainer, GNNExplainer
from torch_geometric.explain.algorithm import CaptumExplainer

from gmoe.nn import GNN, EncodedGraph
from tests.explained import NETWORKS, arguments, make_gnn, molecule


def explainer(model, algorithm, node_mask, edge_mask):
    return Explainer(
        model,
        algorithm,
        explanation_type='model',
        node_mask_type=node_mask,
        edge_mask_type=edge_mask,
        model_config={
            'mode': 'regression',
            'task_level': 'graph',
            'return_type': 'raw',
        },
    )


@pytest.mark.parametrize('name', NETWORKS)
def test_encoded_nodes_are_predicted_as_the_graph(name):
    model, data = make_gnn(name), molecule()
    function = EncodedGraph(model, data)
    expected = model(data.x, data.edge_index, **arguments(data))
    assert torch.equal(function(function.h), expected)
    assert not torch.equal(function(0 * function.h), expected)
    # The encoder is as it was.
    assert torch.equal(
        model(data.x, data.edge_index, **arguments(data)), expected
    )


def test_a_batch_and_routings():
    model = make_gnn('gcn')
    batch = Batch.from_data_list([molecule(), molecule()])
    function = EncodedGraph(model, batch)
    out, routings = function(function.h, return_routing=True)
    assert out.shape == (2, 1)
    assert torch.allclose(out[0], out[1])
    assert [routing.num_nodes for routing in routings] == [14, 14]


def test_floating_point_features():
    torch.manual_seed(0)
    data = molecule()
    data.x = torch.randn(7, 4)
    model = GNN(hidden_channels=8, node_dims=4, edge_dims=(5, 6, 2)).eval()
    function = EncodedGraph(model, data)
    assert torch.equal(
        function(function.h), model(data.x, data.edge_index, data.edge_attr)
    )


def test_one_output():
    torch.manual_seed(0)
    model, data = GNN(3, 8, 2, node_dims=(5, 3)).eval(), molecule()
    function = EncodedGraph(model, data, output=2)
    assert not function.training
    out = function(function.h)
    expected = model(data.x, data.edge_index, data.edge_attr)
    assert torch.equal(out, expected[:, 2])
    assert torch.equal(function(function.h, return_routing=True)[0], out)
    with pytest.raises(ValueError, match="'output' must be .* from 0 to 2"):
        EncodedGraph(model, data, output=3)


def test_another_graph_is_refused():
    function = EncodedGraph(make_gnn('gin'), molecule())
    with pytest.raises(ValueError, match=r"'h' must be of shape \[7, 8\]"):
        function(torch.zeros(6, 8))
    with pytest.raises(ValueError, match="'edge_index' must be that of the"):
        function(function.h, function.edge_index[:, :3])


@pytest.mark.parametrize('name', NETWORKS)
@pytest.mark.parametrize(
    'masks',
    [('attributes', None), (None, 'object'), ('attributes', 'object')],
)
def test_explainers(name, masks):
    pytest.importorskip('captum')
    model, data = make_gnn(name), molecule()
    function = EncodedGraph(model, data)
    before = function(function.h)
    algorithms = [
        GNNExplainer(epochs=2),
        CaptumExplainer('IntegratedGradients', n_steps=4),
    ]
    for algorithm in algorithms:
        explain = explainer(function, algorithm, *masks)
        out = explain(function.h, function.edge_index)
        if masks[0]:
            assert out.node_mask.shape == (7, 8)
            assert (out.node_mask != 0).any()
        if masks[1]:
            assert out.edge_mask.shape == (12,)
            assert (out.edge_mask != 0).any()
        assert torch.equal(function(function.h), before)


@pytest.mark.parametrize('method', CaptumExplainer.SUPPORTED_METHODS)
def test_methods_of_captum(method):
    pytest.importorskip('captum')
    model, data = make_gnn('gcn'), molecule()
    function = EncodedGraph(model, data, output=0)
    kwargs = {'n_samples': 2} if method == 'ShapleyValueSampling' else {}
    explain = explainer(
        function, CaptumExplainer(method, **kwargs), 'attributes', 'object'
    )
    out = explain(function.h, function.edge_index)
    assert out.node_mask.shape == (7, 8)
    assert out.node_mask.isfinite().all()
    assert (out.node_mask != 0).any()
    assert (out.edge_mask != 0).any()


def test_input_times_gradient_is_what_captum_says():
    pytest.importorskip('captum')
    function = EncodedGraph(make_gnn('gin'), molecule())
    h = function.h.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(h).sum(), h)
    explain = explainer(
        function, CaptumExplainer('InputXGradient'), 'attributes', None
    )
    out = explain(function.h, function.edge_index)
    assert torch.allclose(out.node_mask, gradient * h)
