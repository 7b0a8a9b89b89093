"""The network of nodes, beside a slow one."""

import pytest
import torch
from torch import nn

from gmoe.nn import GMoEConv, Neighborhood, NodeGNN
from gmoe.ops.two_hop import two_hop_edges

NUM_NODES = 12
SIZES = {'in_channels': 5, 'out_channels': 3, 'hidden_channels': 8}
MIXTURE = {'num_experts': 4, 'num_experts_1hop': 2, 'top_k': 2}


def make(**kwargs):
    torch.manual_seed(0)
    return NodeGNN(**{**SIZES, 'num_layers': 2, **kwargs})


def make_inputs(dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    ring = torch.arange(NUM_NODES)
    ends = torch.stack([ring, (ring + 1) % NUM_NODES])
    chord = torch.tensor([[0, 3], [5, 11]])
    ends = torch.cat([ends, chord], dim=1)
    ends = torch.cat([ends, ends.flip(0)], dim=1)
    x = torch.randn(NUM_NODES, 5, generator=generator, dtype=dtype)
    return x, ends, two_hop_edges(ends, coalesce=True)[0]


def randomize(model):
    """Parameters and statistics that no default hides."""
    for value in [*model.parameters(), *model.buffers()]:
        if value.is_floating_point():
            value.data.uniform_(0.2, 0.9)
    return model


def slow_conv(kind, conv, x, ends):
    """One node at a time."""
    out = []
    near = [ends[0][ends[1] == i].tolist() for i in range(len(x))]
    for i in range(len(x)):
        if kind == 'sage':
            mean = torch.stack([x[j] for j in near[i]]).mean(dim=0)
            own = conv.lin_r.weight @ x[i]
            out.append(conv.lin_l.weight @ mean + conv.lin_l.bias + own)
        else:
            total = sum(
                conv.lin.weight
                @ x[j]
                / ((len(near[i]) + 1) * (len(near[j]) + 1)) ** 0.5
                for j in [*near[i], i]
            )
            out.append(total + conv.bias)
    return torch.stack(out)


def slow_view(conv, h, ends, columns):
    """What a router sees, one node at a time."""
    if conv.router_neighborhood:
        near = [ends[0][ends[1] == i].tolist() for i in range(len(h))]
        means = [sum(h[j] for j in nodes) / len(nodes) for nodes in near]
        h = torch.cat([h, torch.stack(means)], dim=1)
    return h if columns is None else torch.cat([h, columns], dim=1)


def slow(model, x, ends, far, residual=True, total=False, columns=None):
    """The formula, in evaluation."""
    h = x
    if model.ends == 'linear':
        h = x @ model.input.weight.t() + model.input.bias
    hidden = []
    for number, conv in enumerate(model.convs):
        if isinstance(conv, GMoEConv):
            gates = conv.router(slow_view(conv, h, ends, columns)).gates
            out = 0
            for expert in conv.shared.experts.experts if conv.shared else ():
                out = out + slow_conv(model.conv, expert, h, ends)
            for o, expert in enumerate(conv.experts.experts):
                hop = ends if o < conv.experts.num_experts_1hop else far
                out = out + gates[:, o : o + 1] * slow_conv(
                    model.conv, expert, h, hop
                )
        else:
            hop = far if model.num_experts_1hop == 0 else ends
            out = slow_conv(model.conv, conv, h, hop)
        if residual:
            skip = model.skips[number]
            out = out + h @ skip.weight.t() + skip.bias
        if number == len(model.norms):
            return out
        norm = model.norms[number]
        if isinstance(norm, nn.BatchNorm1d):
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            out = (out - norm.running_mean) * scale + norm.bias
        h = out.clamp(min=0)
        hidden.append(h)
    h = sum(hidden) if total else h
    return h @ model.head.weight.t() + model.head.bias


@pytest.mark.parametrize('conv', ['gcn', 'sage'])
@pytest.mark.parametrize(
    'kwargs',
    [
        {},
        {'jumping_knowledge': 'sum'},
        {'residual': False, 'norm': None},
        {'num_experts_1hop': 0},
        MIXTURE,
        {**MIXTURE, 'moe_layers': [1]},
        {**MIXTURE, 'num_shared_experts': 2, 'router_columns': 3},
        {**MIXTURE, 'router_neighborhood': True},
        {'ends': 'conv', 'residual': False},
        {**MIXTURE, 'ends': 'conv', 'router_neighborhood': True},
    ],
    ids=lambda kwargs: ', '.join(kwargs) or 'single',
)
def test_formula(conv, kwargs):
    model = randomize(make(conv=conv, **kwargs).double()).eval()
    x, ends, far = make_inputs(torch.float64)
    columns = None
    if 'router_columns' in kwargs:
        columns = torch.rand(NUM_NODES, 3, dtype=torch.float64)
    expected = slow(
        model,
        x,
        ends,
        far,
        kwargs.get('residual', True),
        kwargs.get('jumping_knowledge') == 'sum',
        columns,
    )
    out = model(x, ends, far, router_input=columns)
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize(
    'router_kwargs',
    [
        {'select': 'top_p', 'select_kwargs': {'p': 0.5}},
        {'select': 'top_any', 'score': 'cosine'},
        {'select': 'balanced_top_k'},
        {'select': 'expert_choice'},
        {'level': 'graph'},
    ],
    ids=lambda kwargs: kwargs.get('select', 'graph'),
)
def test_other_routers(router_kwargs):
    kwargs = {'router': 'linear_softmax', 'router_kwargs': router_kwargs}
    if router_kwargs.get('select') == 'balanced_top_k':
        kwargs |= {'router': None, 'top_k': 2}
    model = make(num_experts=4, num_experts_1hop=2, **kwargs)
    for conv in model.convs:
        for value in conv.router.score_gate.parameters():
            nn.init.normal_(value)
    out, routings = model(*make_inputs(), return_routing=True)
    assert out.shape == (NUM_NODES, 3)
    is_one_graph = router_kwargs.get('level') == 'graph'
    for routing in routings:
        rows = routing.gates.detach().unique(dim=0)
        assert (len(rows) == 1) == is_one_graph
    out.sum().backward()
    assert model.convs[0].router.score_gate.weight.grad.abs().sum() > 0


@pytest.mark.parametrize('conv', ['gcn', 'sage', 'gat'])
@pytest.mark.parametrize('ends', ['linear', 'conv'])
def test_all_parameters_learn(conv, ends):
    model = make(
        conv=conv,
        out_channels=4,
        heads=2,
        expert_norm='batch_norm',
        ends=ends,
        num_shared_experts=1,
        router_neighborhood=True,
        **MIXTURE,
    )
    x, ends, far = make_inputs()
    out, routings = model(x, ends, far, return_routing=True)
    assert out.shape == (NUM_NODES, 4)
    assert len(routings) == 2
    (
        out.square().sum() + sum(r.gates.square().sum() for r in routings)
    ).backward()
    missing = [n for n, p in model.named_parameters() if p.grad is None]
    assert missing == []


def test_sorted_edges_are_taken_as_they_are():
    model = make(**MIXTURE).eval()
    x, ends, far = make_inputs()
    expected = model(x, ends, far)
    near = Neighborhood.from_edge_index(ends, None, NUM_NODES)
    far = Neighborhood.from_edge_index(far, None, NUM_NODES)
    torch.testing.assert_close(model(x, near, far), expected)


@pytest.mark.parametrize('kwargs', [MIXTURE, {}])
def test_permutation(kwargs):
    model = make(conv='sage', **kwargs).eval()
    x, ends, far = make_inputs()
    order = torch.randperm(NUM_NODES)
    place = order.argsort()
    out = model(x[order], place[ends], place[far])
    torch.testing.assert_close(out, model(x, ends, far)[order])


def test_weights_of_edges():
    x, ends, far = make_inputs()
    weight = torch.rand(ends.size(1))
    mixture = {**MIXTURE, 'num_experts_1hop': 4}
    for kwargs in ({}, mixture):
        model = make(conv='gcn', **kwargs).eval()
        ones = model(x, ends, edge_weight=torch.ones(ends.size(1)))
        torch.testing.assert_close(ones, model(x, ends))
        assert not torch.allclose(ones, model(x, ends, edge_weight=weight))
    for kwargs in ({'conv': 'sage'}, {'conv': 'gcn', **MIXTURE}):
        with pytest.raises(ValueError, match="'edge_weight' must be left"):
            make(**kwargs)(x, ends, far, weight)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'conv': 'gin'}, "'conv' must be one of"),
        ({'norm': 'group'}, "'norm' must be one of"),
        ({'expert_norm': 'group'}, "'expert_norm' must be one of"),
        ({'jumping_knowledge': 'max'}, "'jumping_knowledge' must be"),
        ({'dropout': 1.0}, "'dropout' must be in"),
        ({'num_layers': 0}, "'num_layers' must be"),
        ({'in_channels': 0}, "'in_channels' must be"),
        ({'conv': 'gat', 'heads': 3}, "'hidden_channels' must be a multiple"),
        ({'num_experts': 2, 'num_experts_1hop': 3}, "'num_experts_1hop'"),
        ({**MIXTURE, 'moe_layers': [2]}, "'moe_layers' must hold"),
        ({'ends': 'mlp'}, "'ends' must be one of"),
        ({'ends': 'conv', 'jumping_knowledge': 'sum'}, "'jumping_knowledge'"),
        ({'ends': 'conv', 'conv': 'gat', 'heads': 2}, "'out_channels' be"),
        ({'num_shared_experts': 1}, "'num_shared_experts' must be 0"),
        ({'router_columns': 2}, "'router_columns' must be 0 for a network"),
        ({'router_neighborhood': True}, "'router_neighborhood' must be False"),
        ({**MIXTURE, 'router_columns': -1}, "'router_columns' must be"),
    ],
)
def test_refused_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        make(**kwargs)


def test_refused_inputs():
    x, ends, far = make_inputs()
    model = make(**MIXTURE)
    with pytest.raises(ValueError, match="'edge_index_2hop' must be given"):
        model(x, ends)
    with pytest.raises(ValueError, match="'x' must have 5 features"):
        model(x[:, :4], ends, far)
    with pytest.raises(ValueError, match="'edge_index'"):
        model(x, ends + 1, far)
    with pytest.raises(ValueError, match="'edge_index_2hop' must hold"):
        model(x, ends, torch.tensor([[0], [8]]))
    with pytest.raises(ValueError, match="'router_input' must have 0 col"):
        model(x, ends, far, router_input=torch.rand(NUM_NODES, 2))
    model = make(router_columns=2, **MIXTURE)
    for given in (None, torch.rand(NUM_NODES, 1)):
        with pytest.raises(ValueError, match="'router_input' must have 2"):
            model(x, ends, far, router_input=given)
    with pytest.raises(ValueError, match="'router_input' must have shape"):
        model(x, ends, far, router_input=torch.rand(3, 2))


def test_saved(tmp_path):
    pytest.importorskip('safetensors')
    model = make(**MIXTURE).eval()
    model.save_pretrained(tmp_path)
    again = NodeGNN.from_pretrained(tmp_path).eval()
    inputs = make_inputs()
    assert torch.equal(again(*inputs), model(*inputs))
    assert 'num_experts=4' in repr(again)
    again.reset_parameters()
    assert not torch.equal(again(*inputs), model(*inputs))
