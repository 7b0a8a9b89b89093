"""A trained network as a mixture: the same outputs, before it goes on."""

import copy

import pytest
import torch
from torch import nn

from gmoe.nn import GNN, GMoEConv, LinkGNN, NodeGNN, upcycle
from gmoe.nn.models.on_data import on_data
from gmoe.routing import balance_loss
from gmoe.transforms import TwoHop
from tests.graphs import EDGE_DIMS, random_graph
from tests.nn.models.test_link_gnn import PAIRS
from tests.nn.models.test_node_gnn import make_inputs
from tests.nn.models.test_triple_gnn import batch, call
from tests.nn.models.test_triple_gnn import make as make_triple

SIZES = {'hidden_channels': 8, 'num_layers': 3, 'node_dims': 4}


def trained(network):
    """Weights and statistics as none that are drawn: those of a training."""
    generator = torch.Generator().manual_seed(2)
    for value in [*network.parameters(), *network.buffers()]:
        if value.is_floating_point():
            noise = torch.rand(value.shape, generator=generator)
            value.data += noise.to(value) * (1 + value.abs().mean())
    return network.double().eval()


def make(**kwargs):
    torch.manual_seed(0)
    return trained(GNN(3, edge_dims=EDGE_DIMS, **{**SIZES, **kwargs}))


def graph():
    return TwoHop()(random_graph(30, 50))


@pytest.mark.parametrize('hop', [0, 1])
@pytest.mark.parametrize('norm', ['batch_norm', 'layer_norm'])
@pytest.mark.parametrize('conv', ['gcn', 'linear_gcn', 'gin', 'relational'])
def test_first_outputs(conv, norm, hop):
    network = make(conv=conv, norm=norm, num_experts_1hop=hop)
    before = copy.deepcopy(network.state_dict())
    expected = on_data(network, graph())
    for top_k in (1, 3):
        mixture = upcycle(network, 4, top_k, noise=0)
        out, routings = on_data(mixture, graph(), return_routing=True)
        torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)
        assert [r.slots_per_node for r in routings] == [top_k] * 3
        assert mixture.num_hops == network.num_hops == 2 - hop
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    'settings',
    [
        {'router': 'linear_softmax'},
        {'router': 'attention_sparsemax'},
        {'router': 'uniform'},
        {'top_k': 2, 'router_kwargs': {'select': 'balanced_top_k'}},
        {'router': 'linear_softmax', 'router_kwargs': {'select': 'top_any'}},
        {'top_k': 2, 'router_kwargs': {'level': 'graph'}},
        {'top_k': 2, 'moe_layers': [1], 'dispatch': 'dense'},
    ],
)
def test_routers_and_layers(settings):
    network = make(virtual_node=True, combine='mean', residual=True)
    mixture = upcycle(network, 3, noise=0, dropout=0.25, **settings)
    assert mixture.dropout == 0.25
    torch.testing.assert_close(
        on_data(mixture, graph()),
        on_data(network, graph()),
        rtol=1e-12,
        atol=0,
    )


@pytest.mark.parametrize('conv', ['gcn', 'sage', 'gat'])
def test_networks_of_nodes_and_links(conv):
    x, edges, _ = make_inputs(torch.float64)
    node = trained(NodeGNN(5, 3, 8, 2, conv, expert_norm='layer_norm'))
    mixture = upcycle(node, 3, top_k=2, noise=0)
    torch.testing.assert_close(mixture(x, edges), node(x, edges))
    link = trained(LinkGNN(5, hidden_channels=8, conv=conv))
    mixture = upcycle(link, 3, top_k=2, noise=0, dispatch='dense')
    assert mixture.encoder.convs[0].dispatch == 'dense'
    torch.testing.assert_close(mixture(x, edges, PAIRS), link(x, edges, PAIRS))


def test_network_of_texts():
    network = make_triple(num_experts=1, num_experts_1hop=1, top_k=None)
    network = network.eval()
    mixture = upcycle(network, 3, top_k=2, noise=0)
    data = batch()
    expected = call(network, data)
    torch.testing.assert_close(call(mixture, data), expected)


def test_noise_tells_experts_apart():
    network = make(conv='gin')
    torch.manual_seed(0)
    mixture = upcycle(network, 4, top_k=2, noise=0.1)
    for number, conv in enumerate(mixture.convs):
        single = network.convs[number]
        weight = single.mlp[0].weight.t()
        change = (conv.experts.weight1 - weight) / weight.std()
        assert 0.08 < change.std() < 0.12
        first, second = conv.experts.weight1[:2]
        assert not torch.equal(first, second)
        assert torch.equal(conv.experts.eps, single.eps.expand(4))
        assert torch.equal(
            conv.experts.norm.running_var,
            single.mlp[1].running_var.expand(4, -1),
        )
        assert conv.router.score_gate.weight.eq(0).all()
    torch.manual_seed(0)
    again = upcycle(network, 4, top_k=2, noise=0.1)
    for name, value in again.state_dict().items():
        assert torch.equal(value, mixture.state_dict()[name])


def test_trains_on_and_is_saved(tmp_path):
    network = make(conv='gcn').float().train()
    mixture = upcycle(network, 4, top_k=2, noise=0, dropout=0.0)
    assert mixture.training
    data = graph()
    data.x = data.x.float()
    optimizer = torch.optim.Adam(mixture.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        out, routings = on_data(mixture, data, return_routing=True)
        loss = (out - 1).square().mean()
        (loss + 0.1 * balance_loss(routings)).backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    first, second = mixture.convs[1].experts.weight[:2]
    assert not torch.allclose(first, second)  # By their nodes alone.
    mixture.save_pretrained(tmp_path / 'mixture')
    read = GNN.from_pretrained(tmp_path / 'mixture')
    assert torch.equal(on_data(read, data), on_data(mixture.eval(), data))


def test_another_head():
    network = make(num_head_layers=2)
    mixture = upcycle(network, 3, top_k=1, noise=0, out_channels=5)
    assert on_data(mixture, graph()).shape == (1, 5)
    layers = []
    for model in (network, mixture):
        model.head = nn.Identity()
        layers.append(on_data(model, graph()))
    torch.testing.assert_close(*layers)
    same = upcycle(make(), 3, top_k=1, noise=0, out_channels=3)
    assert torch.equal(same.head.weight, make().head.weight)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'num_experts': 1}, "'num_experts' must be an integer >= 2, got 1"),
        ({'num_experts': 2.5}, "'num_experts' must be an integer >= 2"),
        ({'top_k': 5}, "'top_k' must be None or an integer from 1 to num_exp"),
        ({'top_k': None}, "'top_k' must be an integer for the preset"),
        ({'noise': -0.1}, "'noise' must be a number >= 0, got -0.1"),
        ({'noise': 1.5}, "'noise' must be a number from 0 to 1, as a share"),
        ({'combine': 'mean'}, "'combine' must be 'sum' for a mixture that be"),
        ({'num_shared_experts': 1}, "'num_shared_experts' must be 0 for a mi"),
        ({'num_experts_1hop': 2}, "'num_experts_1hop' must be left out: all"),
        ({'hidden_channels': 4}, "'settings' must be one of .'router', "),
        (
            {'router_kwargs': {'topk_first': False}},
            "'router_kwargs' must be of a router whose weights at a node sum "
            r'to 1, .* got sums from 0.5 to 0.5',
        ),
        (
            {'top_k': None, 'router': 'linear_softmax'}
            | {'router_kwargs': {'select': 'expert_choice'}},
            "'router_kwargs' must be of a router whose weights at a node sum",
        ),
    ],
)
def test_refused_settings(change, message):
    arguments = {'num_experts': 4, 'top_k': 2, **change}
    with pytest.raises(ValueError, match=message):
        upcycle(make(), **arguments)


def test_refused_networks():
    with pytest.raises(ValueError, match=r"'network' must be .* got 'Linear'"):
        upcycle(nn.Linear(2, 2), 4, top_k=2)
    with pytest.raises(ValueError, match=r"keep_weights=True\)\), got 'str'"):
        upcycle('runs/BBBP', 4, top_k=2)
    with pytest.raises(ValueError, match='no mixtures yet .* with 3 experts'):
        upcycle(make(num_experts=3, top_k=1), 4, top_k=2)
    with pytest.raises(ValueError, match="'moe_layers' must be None for a ne"):
        upcycle(make(num_experts_1hop=0), 4, top_k=2, moe_layers=[0])
    assert any(isinstance(m, GMoEConv) for m in upcycle(make(), 2, 1).convs)
