"""The network of pairs, beside that of OGB's example."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch_geometric.nn import GCNConv, SAGEConv

from gmoe import ops
from gmoe.nn import LinkGNN
from tests.nn.models.test_node_gnn import MIXTURE, NUM_NODES, make_inputs

EXAMPLE = {'norm': None, 'residual': False, 'dropout': 0.5}
PAIRS = torch.tensor([[0, 3, 5, 5], [1, 8, 5, 2]])


def make(**kwargs):
    torch.manual_seed(0)
    kwargs = {'num_nodes': NUM_NODES, 'hidden_channels': 8, **kwargs}
    return LinkGNN(**kwargs)


class Example(nn.Module):
    """The network of OGB's example for ogbl-ddi."""

    def __init__(self, conv, num_layers):
        super().__init__()
        self.embedding = nn.Embedding(NUM_NODES, 8)
        self.convs = nn.ModuleList(conv(8, 8) for _ in range(num_layers))
        self.linears = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 1)])

    def forward(self, edge_index, pairs):
        x = self.embedding.weight
        for conv in self.convs[:-1]:
            x = conv(x, edge_index).relu()
            x = functional.dropout(x, 0.5, self.training)
        x = self.convs[-1](x, edge_index)
        x = x[pairs[0]] * x[pairs[1]]
        x = self.linears[0](x).relu()
        x = functional.dropout(x, 0.5, self.training)
        return self.linears[1](x).view(-1)


@pytest.mark.parametrize('name', ['gcn', 'sage'])
@pytest.mark.parametrize('num_layers', [1, 2, 3])
def test_that_of_the_example(name, num_layers):
    model = make(conv=name, num_layers=num_layers, **EXAMPLE).double()
    conv = {'gcn': GCNConv, 'sage': SAGEConv}[name]
    example = Example(conv, num_layers).double()
    values = model.state_dict()
    keys = example.state_dict()
    assert len(values) == len(keys)
    example.load_state_dict(
        {
            key: values[
                key.replace('convs', 'encoder.convs').replace(
                    'linears', 'head.linears'
                )
            ]
            for key in keys
        }
    )
    _, ends, _ = make_inputs()
    outs = []
    for training in (True, False):
        for network in (model, example):
            network.train(training)
            torch.manual_seed(5)
            inputs = (None, ends, PAIRS) if network is model else (ends, PAIRS)
            with ops.eager_ops():  # Whose dropout is PyTorch's.
                outs.append(network(*inputs))
    torch.testing.assert_close(outs[0], outs[1], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(outs[2], outs[3], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('in_channels', [None, 5])
@pytest.mark.parametrize('conv', ['gcn', 'sage', 'gat'])
def test_all_parameters_learn(in_channels, conv):
    model = make(in_channels=in_channels, conv=conv, **MIXTURE)
    x, ends, far = make_inputs()
    x = None if in_channels is None else x
    out, routings = model(x, ends, PAIRS, far, return_routing=True)
    assert out.shape == (4,)
    assert len(routings) == 2
    gates = sum(r.gates.square().sum() for r in routings)
    (out.square().sum() + gates).backward()
    missing = [n for n, p in model.named_parameters() if p.grad is None]
    assert missing == []


@pytest.mark.parametrize(
    ('head', 'kwargs'),
    [('mlp', {}), ('dot', MIXTURE)],
    ids=['single', 'mixture'],
)
def test_learns_pairs(head, kwargs):
    _, ends, far = make_inputs()
    links = ends[:, ends[0] < ends[1]]
    others = links.clone()
    others[1] = (links[1] + 2) % NUM_NODES
    pairs = torch.cat([links, others], dim=1)
    y = torch.cat([torch.ones(links.size(1)), torch.zeros(others.size(1))])
    model = make(head=head, dropout=0.0, norm=None, **kwargs)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        out = model(None, ends, pairs, far)
        loss = functional.binary_cross_entropy_with_logits(out, y)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2  # Guessing gives 0.69.


def test_nodes_in_another_order():
    """Whose vectors are found by their numbers, and columns by places."""
    model = make(router_columns=2, **MIXTURE).eval()
    for parameter in model.encoder.parameters():  # Routers start at zero.
        nn.init.normal_(parameter, std=0.5)
    _, ends, far = make_inputs()
    columns = torch.randn(NUM_NODES, 2)
    node = torch.randperm(NUM_NODES)
    place = node.argsort()
    out = model(None, ends, PAIRS, far, columns)
    moved = place[ends], place[PAIRS], place[far], columns[node]
    torch.testing.assert_close(model(None, *moved, node), out)
    assert not torch.allclose(model(None, ends, PAIRS, far, -columns), out)
    with pytest.raises(ValueError, match="'router_input' must have 2 col"):
        model(None, ends, PAIRS, far)


def test_refused():
    x, ends, _ = make_inputs()
    with pytest.raises(ValueError, match="'num_nodes' must be an integer"):
        make(num_nodes=None)
    with pytest.raises(ValueError, match="'hidden_channels' must be"):
        make(hidden_channels=0)
    with pytest.raises(ValueError, match="'head' must be one of"):
        make(head='sum')
    with pytest.raises(ValueError, match="'num_head_layers' must be"):
        make(num_head_layers=0)
    with pytest.raises(ValueError, match="'x' must be None: they are learned"):
        make()(x, ends, PAIRS)
    with pytest.raises(ValueError, match="'x' must be the features"):
        make(in_channels=5)(None, ends, PAIRS)
    with pytest.raises(ValueError, match="'edge_index_2hop' must be given"):
        make(**MIXTURE)(None, ends, PAIRS)


def test_saved(tmp_path):
    pytest.importorskip('safetensors')
    model = make(num_experts=4, top_k=2).eval()
    model.save_pretrained(tmp_path)
    again = LinkGNN.from_pretrained(tmp_path).eval()
    inputs = None, make_inputs()[1], PAIRS
    assert torch.equal(again(*inputs), model(*inputs))
    assert 'num_experts=4' in repr(again)
    again.reset_parameters()
    assert not torch.equal(again(*inputs), model(*inputs))
