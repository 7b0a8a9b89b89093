"""The network against OGB's, written anew, and its properties."""

import copy

import pytest
import torch
from torch.nn import functional
from torch_geometric.data import Batch, Data

from gmoe.nn import GNN, GMoEConv
from gmoe.routing import BalancedTopK, balance_loss
from gmoe.testing import assert_batch_equals_singles, assert_overfits
from gmoe.transforms import TwoHop
from tests.graphs import EDGE_DIMS, random_attr
from tests.ogb_reference import ogb_network

NODE_DIMS = (7, 3)
D = 6
VARIANTS = [
    {'conv': conv, 'num_experts': n, 'num_experts_1hop': m, **kwargs}
    for conv in ('gcn', 'gin')
    for n, m, kwargs in [
        (1, 1, {}),
        (1, 0, {}),
        (4, 0, {'top_k': 1}),
        (4, 2, {'top_k': 2}),
        (4, 4, {'top_k': 2, 'dispatch': 'dense', 'combine': 'mean'}),
        (4, 2, {'top_k': 2, 'moe_layers': [1]}),
        (4, 2, {'router': 'uniform'}),
        (4, 2, {'router': 'attention_sparsemax', 'norm': 'layer_norm'}),
        (4, 2, {'top_k': 2, 'virtual_node': True, 'residual': True}),
    ]
]


def molecule(num_nodes, num_bonds, seed):
    generator = torch.Generator().manual_seed(seed)
    bonds = torch.randint(num_nodes, (2, num_bonds), generator=generator)
    attr = random_attr(num_bonds, generator)
    columns = [
        torch.randint(dim, (num_nodes,), generator=generator)
        for dim in NODE_DIMS
    ]
    data = Data(
        x=torch.stack(columns, dim=1),
        edge_index=torch.cat([bonds, bonds.flip(0)], dim=1),
        edge_attr=torch.cat([attr, attr]),
        y=torch.rand(1, 2, generator=generator).double(),
    )
    return TwoHop()(data)


def molecules(sizes=((5, 6), (1, 0), (8, 10), (3, 0), (2, 1))):
    return [molecule(n, b, seed) for seed, (n, b) in enumerate(sizes)]


def make_gnn(seed=0, **kwargs):
    torch.manual_seed(seed)
    settings = {
        'out_channels': 2,
        'hidden_channels': D,
        'num_layers': 3,
        'dropout': 0.0,
        'node_dims': NODE_DIMS,
        'edge_dims': EDGE_DIMS,
        **kwargs,
    }
    model = GNN(**settings).double()
    for name, buffer in model.named_buffers():
        if 'running' in name:
            buffer.uniform_(0.5, 1.5)
    for name, parameter in model.named_parameters():
        if name.endswith(('eps', 'virtual_node.embedding')):
            parameter.data.normal_()
    return model


def call(model, data, **kwargs):
    return model(
        data.x,
        data.edge_index,
        data.edge_attr,
        data.get('batch'),
        data.get('edge_index_2hop'),
        data.get('edge_attr_2hop'),
        **kwargs,
    )


@pytest.mark.parametrize('conv', ['gcn', 'gin'])
@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(
    ('virtual_node', 'residual', 'jumping_knowledge', 'pooling'),
    [
        (False, False, 'last', 'mean'),
        (True, False, 'last', 'mean'),
        (True, True, 'sum', 'sum'),
        (False, True, 'last', 'max'),
        (False, False, 'sum', 'mean'),
    ],
)
def test_single_equals_ogb(
    conv, training, virtual_node, residual, jumping_knowledge, pooling
):
    model = make_gnn(
        conv=conv,
        virtual_node=virtual_node,
        residual=residual,
        jumping_knowledge=jumping_knowledge,
        pooling=pooling,
    ).train(training)
    data = Batch.from_data_list(molecules())
    expected = ogb_network(
        model,
        data,
        virtual_node,
        residual,
        jumping_knowledge == 'sum',
        pooling,
    )
    out = call(model, data)
    assert torch.allclose(out, expected, rtol=1e-9, atol=1e-10)
    names, parameters = zip(*model.named_parameters())
    grads, slow_grads = (
        torch.autograd.grad(value.pow(2).sum(), parameters, allow_unused=True)
        for value in (out, expected)
    )
    for name, grad, slow in zip(names, grads, slow_grads):
        assert torch.allclose(grad, slow, rtol=1e-7, atol=1e-9), name


@pytest.mark.parametrize('kwargs', VARIANTS)
def test_batch_equals_singles(kwargs):
    model = make_gnn(**kwargs).eval()
    data_list = molecules()
    assert_batch_equals_singles(
        lambda data: call(model, data), data_list, rtol=1e-9, atol=1e-11
    )
    assert not torch.allclose(
        call(model, data_list[0]), call(model, data_list[2])
    )


SELECTS = {
    'top_p': {'select_kwargs': {'p': 0.6}},
    'top_any': {'score': 'attention'},
    'expert_choice': {},
}


@pytest.mark.parametrize('select', [*SELECTS, 'balanced_top_k'])
def test_other_selections(select):
    kwargs = {'router': 'linear_softmax', 'num_experts': 4}
    if select == 'balanced_top_k':
        kwargs.update(router='linear_softmax_topk', top_k=2)
    router_kwargs = {'select': select, **SELECTS.get(select, {})}
    model = make_gnn(router_kwargs=router_kwargs, **kwargs)
    data = Batch.from_data_list(molecules())
    out, routings = call(model.train(), data, return_routing=True)
    (out.square().sum() + balance_loss(routings)).backward()
    assert all(p.grad is not None for p in model.parameters())
    assert_batch_equals_singles(
        lambda data: call(model.eval(), data),
        molecules(),
        rtol=1e-9,
        atol=1e-11,
    )


def test_graphs_are_routed_as_one():
    kwargs = {
        'num_experts': 4,
        'top_k': 2,
        'router_kwargs': {'level': 'graph'},
    }
    model = make_gnn(**kwargs).eval()
    for conv in model.convs:
        torch.nn.init.normal_(conv.router.score_gate.weight)
    data = Batch.from_data_list(molecules())
    _, routings = call(model, data, return_routing=True)
    for routing in routings:
        for graph in range(data.num_graphs):
            rows = routing.gates[data.batch == graph]
            assert torch.equal(rows, rows[:1].expand_as(rows))
        assert routing.gates.unique(dim=0).size(0) > 1
    assert_batch_equals_singles(
        lambda data: call(model, data), molecules(), rtol=1e-9, atol=1e-11
    )


@pytest.mark.parametrize('conv', ['gcn', 'linear_gcn', 'gin', 'relational'])
def test_shared_experts(conv):
    kwargs = {'num_experts': 4, 'num_experts_1hop': 2, 'top_k': 1}
    model = make_gnn(conv=conv, num_shared_experts=2, **kwargs)
    data = Batch.from_data_list(molecules())
    call(model.train(), data).square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    for layer in model.convs:
        shared = layer.shared.experts
        assert (shared.num_experts, shared.num_experts_1hop) == (2, 2)
        assert next(shared.parameters()).grad.abs().sum() > 0
    assert_batch_equals_singles(
        lambda data: call(model.eval(), data),
        molecules(),
        rtol=1e-9,
        atol=1e-11,
    )
    # None are made unless they are asked for.
    plain, same = make_gnn(**kwargs), make_gnn(num_shared_experts=0, **kwargs)
    assert list(plain.state_dict()) == list(same.state_dict())
    assert not any('shared' in name for name in plain.state_dict())


def test_refused_shared_experts():
    for count in (-1, 1.5, True):
        with pytest.raises(ValueError, match="'num_shared_experts' must be"):
            make_gnn(num_experts=4, top_k=1, num_shared_experts=count)
    with pytest.raises(ValueError, match="'num_shared_experts' must be 0"):
        make_gnn(num_experts=1, num_shared_experts=1)


def test_layers_do_not_share_a_selection():
    given = BalancedTopK(4, 2)
    model = make_gnn(
        num_experts=4, router='linear_softmax', router_kwargs={'select': given}
    )
    selections = {conv.router.selection for conv in model.convs}
    assert len(selections) == 3
    assert given not in selections


@pytest.mark.parametrize('kwargs', VARIANTS)
def test_every_parameter_gets_a_gradient(kwargs):
    # One atom: with 4 experts, some get no node.
    model = make_gnn(**kwargs).train()
    for data_list in (molecules(), molecules([(1, 0)])):
        model.zero_grad()
        data = Batch.from_data_list(data_list)
        out, routings = call(model, data, return_routing=True)
        assert out.shape == (len(data_list), 2)
        loss = out.sum()
        if routings:
            loss = loss + balance_loss(routings)
        loss.backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
        for buffer in model.buffers():
            assert buffer.isfinite().all()


@pytest.mark.parametrize('kwargs', VARIANTS)
def test_layers_and_routings(kwargs):
    model = make_gnn(**kwargs)
    moe_layers = kwargs.get('moe_layers', range(3))
    moe_layers = [] if kwargs['num_experts'] == 1 else list(moe_layers)
    assert [isinstance(conv, GMoEConv) for conv in model.convs] == [
        layer in moe_layers for layer in range(3)
    ]
    data = Batch.from_data_list(molecules())
    out, routings = call(model.eval(), data, return_routing=True)
    assert len(routings) == len(moe_layers)
    for routing in routings:
        assert routing.num_nodes == data.num_nodes
        assert routing.num_experts == 4
        if 'top_k' in kwargs:
            assert routing.slots_per_node == kwargs['top_k']
    assert torch.equal(call(model, data), out)
    far = kwargs['num_experts_1hop'] < kwargs['num_experts']
    assert model.num_hops == 1 + far


def test_without_mixture_layers_there_is_one_hop():
    model = make_gnn(num_experts=4, num_experts_1hop=2, top_k=2, moe_layers=[])
    assert model.num_hops == 1
    plain = make_gnn()
    plain.load_state_dict(model.state_dict())
    data = molecule(5, 6, 0)
    assert torch.equal(call(model.eval(), data), call(plain.eval(), data))


@pytest.mark.parametrize('conv', ['gcn', 'gin'])
def test_uniform_router_averages_the_experts(conv):
    model = make_gnn(
        conv=conv, num_experts=3, num_experts_1hop=2, router='uniform'
    ).eval()
    data = molecule(6, 8, 0)
    layer = model.convs[0]
    x = torch.randn(6, D).double()
    edges = (
        data.edge_index,
        data.edge_attr,
        data.edge_index_2hop,
        data.edge_attr_2hop,
    )
    out, routing = layer(x, *edges, return_routing=True)
    slots = routing.by_expert
    singles = []
    for expert in range(3):
        gates = torch.zeros(3).double()
        gates[expert] = 1
        only = copy.deepcopy(layer)
        # One expert's share is what stays when the others give zero.
        only.norm.weight.data *= gates.view(-1, 1)
        only.norm.bias.data *= gates.view(-1, 1)
        singles.append(only(x, *edges) * 3)
    assert torch.allclose(out, sum(singles) / 3)
    assert (slots.weight == 1 / 3).all()
    assert not torch.allclose(singles[0], singles[1])


@pytest.mark.parametrize('conv', ['gcn', 'gin'])
@pytest.mark.parametrize('top_k', [None, 2])
def test_overfits_a_tiny_set(conv, top_k):
    model = make_gnn(
        conv=conv,
        hidden_channels=32,
        num_experts=1 if top_k is None else 4,
        num_experts_1hop=None if top_k is None else 2,
        top_k=top_k,
    )
    data = Batch.from_data_list(molecules([(6, 8)] * 8))
    torch.manual_seed(0)
    # The mean would give about 0.08; noisy routes leave a little more.
    assert_overfits(
        model,
        lambda: functional.mse_loss(call(model, data), data.y),
        below=1e-3 if top_k is None else 1e-2,
    )


def test_dropout_and_reset():
    model = make_gnn(dropout=0.5, num_experts=4, top_k=2, virtual_node=True)
    data = Batch.from_data_list(molecules())
    before = copy.deepcopy(model.state_dict())
    assert not torch.equal(call(model, data), call(model, data))
    model.eval()
    assert torch.equal(call(model, data), call(model, data))
    torch.manual_seed(1)
    model.reset_parameters()
    zero_or_one = ('eps', 'score', 'norm.', 'running', 'tracked', 'offsets')
    for name, value in model.state_dict().items():
        if 'running_mean' in name:
            assert value.abs().sum() == 0
        elif not any(part in name for part in zero_or_one):
            assert name.startswith('virtual_node') or not torch.equal(
                value, before[name]
            ), name


def test_defaults_are_ogbs():
    model = GNN()
    assert model.node_encoder.weight.shape == (174, 300)
    assert model.head.weight.shape == (1, 300)
    assert (model.num_layers, model.dropout, model.pooling) == (5, 0.5, 'mean')


def test_head_of_several_layers():
    model = make_gnn(num_head_layers=2)
    assert [type(module).__name__ for module in model.head] == [
        'Linear',
        'ReLU',
        'Linear',
    ]
    data = Batch.from_data_list(molecules())
    assert call(model, data).shape == (data.num_graphs, 2)
    with pytest.raises(ValueError, match="'num_head_layers' .*>= 1, got 0"):
        GNN(num_head_layers=0)


def test_features_of_graphs_are_joined_at_the_readout():
    torch.manual_seed(0)
    model = make_gnn(graph_dims=3, head_dropout=0.5, num_head_layers=2).eval()
    plain = make_gnn(num_head_layers=2)
    assert not any('graph_features' in name for name in plain.state_dict())
    data = Batch.from_data_list(molecules())
    values = torch.randn(data.num_graphs, 3)
    out = call(model, data, graph_attr=values)
    assert out.shape == (data.num_graphs, 2)
    # Each graph is given its own.
    other = values.clone()
    other[1] += 1
    changed = (call(model, data, graph_attr=other) != out).any(dim=1)
    assert changed.nonzero().tolist() == [[1]]
    unknown = torch.full_like(values, torch.nan)
    assert call(model, data, graph_attr=unknown).isfinite().all()
    shape = rf'\({data.num_graphs}, 3\)'
    for wrong in (None, values[1:], values[:, 1:]):
        with pytest.raises(ValueError, match=f"'graph_attr' must.*{shape}"):
            call(model, data, graph_attr=wrong)
    with pytest.raises(ValueError, match="'graph_attr' must be None"):
        call(plain, data, graph_attr=values)
    with pytest.raises(ValueError, match="'graph_dims' must be .* got 0"):
        make_gnn(graph_dims=0)


def test_float_features_and_empty_graphs():
    torch.manual_seed(0)
    model = GNN(2, D, 2, num_experts=4, top_k=2, node_dims=3, edge_dims=None)
    model.eval()
    x, edge_index = torch.randn(4, 3), torch.tensor([[0, 1], [1, 0]])
    batch = torch.tensor([0, 0, 2, 2])
    out = model(x, edge_index, batch=batch, batch_size=4)
    # A graph without nodes is pooled to zero.
    assert out.shape == (4, 2)
    assert torch.allclose(out[1], model.head.bias)
    assert torch.allclose(out[:3], model(x, edge_index, batch=batch))


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (
            {'conv': 'gat'},
            r"'conv' must be one of \['gcn', .*'gin'.*\], got 'gat'",
        ),
        ({'norm': 'none'}, "'norm' must be .*, got 'none'"),
        ({'jumping_knowledge': 'cat'}, "'jumping_knowledge' .*'cat'"),
        ({'pooling': 'min'}, "'pooling' must be .*'max'.*, got 'min'"),
        ({'router': 'top'}, "'router' must be .*'uniform'.*, got 'top'"),
        ({'router': None}, "'router' must be .*'uniform'.*, got None"),
        ({'router_kwargs': 1}, "'router_kwargs' must be a mapping .*got 1"),
        ({'num_layers': 0}, "'num_layers' must be an integer >= 1, got 0"),
        ({'out_channels': 0}, "'out_channels' must be an integer >= 1, got 0"),
        ({'hidden_channels': 0}, "'hidden_channels' .*, got 0"),
        ({'num_experts': 0}, "'num_experts' must be an integer >= 1, got 0"),
        ({'dropout': 1.0}, r"'dropout' must be in \[0, 1\), got 1.0"),
        ({'num_experts_1hop': 2}, "'num_experts_1hop' .*=1, got 2"),
        ({'num_experts_1hop': -1}, "'num_experts_1hop' .* got -1"),
        ({'num_experts': 4}, "'top_k' must be an integer .*, got None"),
        ({'hidden_channels': 8.5}, "'hidden_channels' .*>= 1, got 8.5"),
        ({'num_layers': '2'}, "'num_layers' .*integer >= 1, got '2'"),
        ({'dropout': 'a'}, "'dropout' must be .*, got 'a'"),
        ({'num_experts': 4, 'top_k': 5}, "'top_k' .*, got 5"),
        ({'num_experts': 4, 'moe_layers': [3]}, "'moe_layers'.*got 3"),
        ({'num_experts': 4, 'router': 'uniform', 'top_k': 2}, "'top_k'"),
        ({'num_experts': 4, 'router': 'uniform', 'top_k': 0}, "'top_k'"),
        (
            {'router_kwargs': {'foo': 1}},
            r"'router_kwargs' must be one of \['score', .*\], got 'foo'",
        ),
        ({'combine': 'max'}, "'combine' must be .*'mean'.*, got 'max'"),
        ({'edge_dims': -1}, "'edge_dims' must be an integer >= 0, got -1"),
        ({'node_dims': (3, 0)}, "'node_dims' must be .*, got .3, 0."),
        (
            {'num_experts': 4, 'top_k': 2, 'edge_dims': (0,)},
            "'edge_dims' must be numbers of categories .*, got .0,.",
        ),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        make_gnn(**kwargs)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'batch': torch.zeros(1).long()}, "'batch' must have shape .5., got"),
        ({'batch': torch.zeros(5)}, "'batch' must have the type torch.int64"),
        ({'batch': torch.full((5,), -1)}, "'batch' must .*got -1"),
        ({'batch': torch.ones(5).long(), 'batch_size': 1}, "'batch' .*got 1"),
        ({'x': None}, "'x' must be a tensor of shape .*got NoneType"),
        ({'x': torch.zeros(9).long()}, "'x' must be a tensor .*got .9."),
    ],
)
def test_inputs_that_do_not_fit_are_named(change, message):
    data = molecule(5, 6, 0)
    given = {'x': data.x, 'edge_index': data.edge_index, **change}
    with pytest.raises(ValueError, match=message):
        make_gnn()(edge_attr=data.edge_attr, **given)


@pytest.mark.parametrize(('num_experts', 'top_k'), [(1, None), (4, 2)])
def test_missing_hop2_edges(num_experts, top_k):
    model = make_gnn(num_experts=num_experts, num_experts_1hop=0, top_k=top_k)
    data = molecule(5, 6, 0)
    del data.edge_index_2hop
    with pytest.raises(ValueError, match="'edge_index_2hop' must be given"):
        call(model, data)
    data = molecule(5, 6, 0)
    data.edge_attr_2hop = data.edge_attr_2hop[:, :3]
    with pytest.raises(ValueError, match=r'shape \[\*, 6\]'):
        call(model, data)


def test_state_dict():
    kwargs = {'num_experts': 4, 'num_experts_1hop': 2, 'top_k': 2}
    model, other = make_gnn(**kwargs), make_gnn(seed=1, **kwargs)
    data = molecule(5, 6, 0)
    call(model.train(), data)
    other.load_state_dict(model.state_dict())
    assert torch.equal(call(model.eval(), data), call(other.eval(), data))
