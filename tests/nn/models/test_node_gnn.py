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


def slow(model, x, ends, far, residual=True, total=False):
    """The formula, in evaluation."""
    h = x @ model.input.weight.t() + model.input.bias
    hidden = []
    for number, conv in enumerate(model.convs):
        if isinstance(conv, GMoEConv):
            gates = conv.router(h).gates
            out = 0
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
    ],
    ids=['single', 'sum', 'bare', 'hop 2', 'mixture', 'one mixture'],
)
def test_formula(conv, kwargs):
    model = randomize(make(conv=conv, **kwargs).double()).eval()
    x, ends, far = make_inputs(torch.float64)
    expected = slow(
        model,
        x,
        ends,
        far,
        kwargs.get('residual', True),
        kwargs.get('jumping_knowledge') == 'sum',
    )
    torch.testing.assert_close(model(x, ends, far), expected)


@pytest.mark.parametrize('conv', ['gcn', 'sage', 'gat'])
def test_all_parameters_learn(conv):
    model = make(conv=conv, heads=2, expert_norm='batch_norm', **MIXTURE)
    x, ends, far = make_inputs()
    out, routings = model(x, ends, far, return_routing=True)
    assert out.shape == (NUM_NODES, 3)
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
