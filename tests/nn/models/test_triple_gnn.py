"""The network of graphs of triples, on random ones."""

import pytest
import torch
from torch_geometric.data import Batch, Data

from gmoe.nn import TripleGNN
from gmoe.testing import assert_batch_equals_singles
from gmoe.transforms import TwoHop

NUM_TEXTS, NUM_PROPERTIES = 30, 7


def graph(num_triples, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(high, *shape):
        return torch.randint(high, shape, generator=generator)

    # A tree: each node but the root hangs on one before it.
    parent = [int(draw(i + 1, 1)) for i in range(num_triples)]
    x = torch.stack(
        [
            draw(NUM_TEXTS, num_triples + 1),
            draw(6, num_triples + 1),
            torch.eye(num_triples + 1, dtype=torch.long)[0],
        ],
        dim=1,
    )
    edges, attr = [], []
    for child, of in enumerate(parent, start=1):
        code = int(draw(NUM_PROPERTIES, 1))
        edges += [[of, child], [child, of]]
        attr += [[code, 0], [code, 1]]
    return Data(
        x=x,
        edge_index=torch.tensor(edges).t().contiguous(),
        edge_attr=torch.tensor(attr),
    )


def batch(sizes=(3, 1, 7, 2)):
    graphs = [graph(size, seed) for seed, size in enumerate(sizes)]
    return TwoHop()(Batch.from_data_list(graphs))


def make(**kwargs):
    torch.manual_seed(0)
    model = TripleGNN(
        **{
            'out_channels': 5,
            'text_channels': 12,
            'hidden_channels': 8,
            'edge_channels': 6,
            'num_experts': 4,
            'num_experts_1hop': 2,
            'top_k': 2,
            **kwargs,
        }
    )
    nodes, properties = torch.randn(30, 12), torch.randn(7, 12)
    nodes[0] = properties[0] = 0
    model.set_tables(nodes, properties)
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


KINDS = [
    {},
    {'conv': 'relational'},
    {'conv': 'gcn'},
    {'num_experts_1hop': 4},
    {'num_experts': 1, 'num_experts_1hop': 1, 'top_k': None},
    {'num_experts': 1, 'num_experts_1hop': 0, 'top_k': None},
    {
        'num_experts': 1,
        'num_experts_1hop': 1,
        'top_k': None,
        'conv': 'relational',
    },
    {'num_layers': 0},
    {'relation_features': False, 'readout': ('edges', 'attention')},
    {'text_dropout': 0.5, 'norm': 'layer_norm'},
]


@pytest.mark.parametrize('kwargs', KINDS)
def test_batch_equals_singles(kwargs):
    model = make(**kwargs).eval()
    data = batch()
    out, routings = call(model, data, return_routing=True)
    assert out.shape == (4, 5)
    assert len(routings) == len(model.moe_layers)
    assert_batch_equals_singles(
        lambda data: call(model, data),
        [TwoHop()(graph(size, i)) for i, size in enumerate((3, 1, 7, 2))],
        atol=1e-5,
    )


@pytest.mark.parametrize('kwargs', KINDS)
def test_gradients(kwargs):
    model = make(**kwargs).train()
    call(model, batch()).square().sum().backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


def test_root_and_direction_matter():
    model = make().eval()
    data = batch()
    out = call(model, data)
    other = data.clone()
    other.x[:, 2] = 0
    assert not torch.allclose(call(model, other), out, atol=1e-3)
    other = data.clone()
    other.edge_attr[:, 1] = 1 - other.edge_attr[:, 1]
    assert not torch.allclose(call(model, other), out, atol=1e-3)


@pytest.mark.parametrize(
    ('kwargs', 'mask'),
    [
        ({'hide_root': True}, lambda x: x[:, 2] == 1),
        ({'hide_entities': True}, lambda x: x[:, 1] == 0),
    ],
)
def test_hidden_texts(kwargs, mask):
    model = make(**kwargs).eval()
    data = batch()
    out = call(model, data)
    hidden = data.clone()
    hidden.x[mask(data.x), 0] = 0
    assert torch.equal(call(model, hidden), out)
    assert not torch.allclose(
        call(make().eval(), hidden), call(make().eval(), data), atol=1e-3
    )


def test_other_texts():
    model = make().eval()
    data = batch()
    out = call(model, data)
    nodes, properties = model.node_text.table, model.property_text.table
    order = torch.randperm(29) + 1
    order = torch.cat([torch.zeros(1, dtype=torch.long), order])
    model.set_tables(nodes[order], properties)
    data.x[:, 0] = torch.argsort(order)[data.x[:, 0]]
    assert torch.allclose(call(model, data), out, atol=1e-4)
    assert not any('table' in name for name in model.state_dict())


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'x': torch.zeros(17, 2).long()}, r"'x' must have.*\[\*, 3\]"),
        ({'x': torch.full((17, 3), 30)}, "'x' must hold categories from 0"),
        ({'edge_attr': torch.full((26, 2), 7)}, "'edge_attr' must hold cat"),
        ({'edge_attr': torch.zeros(26, 2)}, "'edge_attr' must have the type"),
        ({'edge_attr_2hop': None}, 'gmoe.transforms.TwoHop'),
    ],
)
def test_bad_input(change, message):
    data = batch()
    for key, value in change.items():
        data[key] = value
    with pytest.raises(ValueError, match=message):
        call(make(), data)


@pytest.mark.parametrize(
    ('argument', 'value'),
    [
        ('conv', 'gat'),
        ('router', 'other'),
        ('router', None),
        ('out_channels', 0),
        ('text_channels', 0),
        ('hidden_channels', 0),
        ('edge_channels', 0),
        ('num_layers', -1),
        ('num_experts', 0),
        ('num_experts_1hop', 5),
        ('top_k', 5),
        ('dropout', 1.0),
        ('text_dropout', -0.1),
        ('readout', ('first',)),
    ],
)
def test_refused_arguments(argument, value):
    with pytest.raises(ValueError, match=f"'{argument}'.* got"):
        make(**{argument: value})


def test_without_tables():
    with pytest.raises(RuntimeError, match='set_tables'):
        call(TripleGNN(text_channels=12), batch())


def test_reset_parameters():
    model = make()
    for parameter in model.parameters():
        parameter.data.fill_(50)
    model.reset_parameters()
    assert all((p.abs() < 10).all() for p in model.parameters())
