"""The pretrained networks beside a slow one, written from their paper and
the names in their files."""

import math
import pickle
import zipfile

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch

from gmoe.datasets import from_smiles
from gmoe.molecules import load_pretrain_gnns, pretrain_gnns_graph
from gmoe.nn import upcycle
from gmoe.nn.models.on_data import on_data

pytest.importorskip('rdkit', reason="the extra 'mol' is not installed")

#: Rings, charges, chirality, a salt, a single atom, bonds with directions.
SMILES = [
    'CC(=O)Oc1ccccc1C(=O)O',
    'C[C@H](N)C(=O)O',
    'C[N+](C)(C)CC#N.[Cl-]',
    'O',
    'F/C=C\\C/C=C/Br',
]
FILES = ('gcn_supervised_contextpred', 'gcn_supervised', 'gcn_contextpred')


def made(num_layers=3, channels=4):
    """The state of such a network, as none that is trained."""
    torch.manual_seed(0)
    state = {
        'x_embedding1.weight': torch.randn(120, channels),
        'x_embedding2.weight': torch.randn(3, channels),
    }
    for layer in range(num_layers):
        name = f'gnns.{layer}.'
        state[f'{name}linear.weight'] = torch.randn(channels, channels)
        state[f'{name}linear.bias'] = torch.randn(channels)
        state[f'{name}edge_embedding1.weight'] = torch.randn(6, channels)
        state[f'{name}edge_embedding2.weight'] = torch.randn(3, channels)
        for part, value in nn.BatchNorm1d(channels).state_dict().items():
            if value.is_floating_point():
                value = torch.rand(channels) + 0.5
            state[f'batch_norms.{layer}.{part}'] = value
    # Sums of such numbers are not rounded in float32.
    return {k: (64 * v).round() / 64 for k, v in state.items()}


@pytest.fixture
def path(tmp_path):
    torch.save(made(), tmp_path / 'gcn.pth')
    return tmp_path / 'gcn.pth'


def slow(state, graph):
    """The mean of the atoms' last features: one edge at a time, self-loops
    as edges of the kind 4 without a direction."""
    state = {k: v.double() for k, v in state.items() if v.is_floating_point()}
    size = graph.num_nodes
    edges = [
        *zip(graph.edge_index.t().tolist(), graph.edge_attr.tolist()),
        *(((i, i), (4, 0)) for i in range(size)),
    ]
    degree = [sum(ends[0] == i for ends, _ in edges) for i in range(size)]
    h = [
        state['x_embedding1.weight'][a] + state['x_embedding2.weight'][b]
        for a, b in graph.x.tolist()
    ]
    last = max(int(k.split('.')[1]) for k in state if k.startswith('gnns'))
    for layer in range(last + 1):
        part = {
            k.split('.', 2)[2]: v
            for k, v in state.items()
            if k.startswith(f'gnns.{layer}.')
        }
        norm = {
            k.split('.', 2)[2]: v
            for k, v in state.items()
            if k.startswith(f'batch_norms.{layer}.')
        }
        out = [torch.zeros_like(h[0]) for _ in range(size)]
        for (j, i), (kind, direction) in edges:
            message = part['linear.weight'] @ h[j] + part['linear.bias']
            term = part['edge_embedding1.weight'][kind]
            term = term + part['edge_embedding2.weight'][direction]
            if kind == 4:  # Added up once, as they are read.
                term = term.float().double()
            message = message + term
            out[i] += message / math.sqrt(degree[i] * degree[j])
        h = []
        for row in out:
            row = row - norm['running_mean']
            row = row / (norm['running_var'] + 1e-5).sqrt()
            row = row * norm['weight'] + norm['bias']
            h.append(row if layer == last else row.relu())
    return torch.stack(h).mean(dim=0)


def pooled(network, graphs):
    network.head = nn.Identity()
    return on_data(network, Batch.from_data_list(graphs))


def check(path, smiles, tolerance):
    graphs = [pretrain_gnns_graph(text) for text in smiles]
    state = torch.load(path, 'cpu', weights_only=True)
    expected = torch.stack([slow(state, graph) for graph in graphs])
    network = load_pretrain_gnns(path, 'pretrain-gnns').double()
    mixture = upcycle(network, 3, top_k=2, noise=0)
    for model in (network, mixture):
        out = pooled(model, graphs)
        torch.testing.assert_close(out, expected, rtol=1e-10, atol=1e-10)
    # The same with OGB's codes, but for directions. The features of bonds are
    # added up in float32 there, which small variances enlarge.
    graphs = [from_smiles(text) for text in smiles]
    out = pooled(load_pretrain_gnns(path).double(), graphs)
    for text, a, b in zip(smiles, out, expected):
        is_same = torch.allclose(a, b, rtol=tolerance, atol=tolerance)
        assert is_same == ('/' not in text)


def test_outputs(path):
    check(path, SMILES, 1e-10)


@pytest.mark.parametrize('name', FILES)
def test_real_files(name, data_root):
    folder = data_root / 'pretrained' / 'pretrain-gnns'
    check(folder / f'{name}.pth', SMILES[1:], 1e-3)


def test_head_and_layers(path):
    network = load_pretrain_gnns(path, out_channels=7, num_head_layers=2)
    assert not network.training
    assert (network.num_layers, network.hidden_channels) == (3, 4)
    out = on_data(network, from_smiles('CCO'))
    assert out.shape == (1, 7)
    with pytest.raises(ValueError, match="'head' must be one of .*'pooling'"):
        load_pretrain_gnns(path, hidden_channels=8)
    with pytest.raises(ValueError, match="'codes' must be one of .'ogb', 'p"):
        load_pretrain_gnns(path, 'pyg')


def test_codes_that_ogb_does_not_know(path):
    network = load_pretrain_gnns(path)
    state = made()
    atoms = network.node_encoder.weight
    assert torch.equal(atoms[118], state['x_embedding1.weight'][119])
    assert torch.equal(atoms[119 + 4], state['x_embedding2.weight'][0])
    assert atoms[119 + 5 :].eq(0).all()
    bonds = network.convs[1].edge_encoder.weight
    kinds = state['gnns.1.edge_embedding1.weight']
    none = state['gnns.1.edge_embedding2.weight'][0]
    assert torch.equal(bonds[4], kinds[5] + none)
    assert bonds[5:].eq(0).all()


class Code:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (exec, ('raise SystemExit(3)',))


def without(state, key):
    return {k: v for k, v in state.items() if k != key}


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (Code(), 'it is no file of plain tensors'),
        ([1, 2], 'it holds a list'),
        ({'a': 1}, 'it holds a dict'),
        ({}, "its 'x_embedding1.weight' has the shape None"),
        (without(made(), 'gnns.1.linear.bias'), "bias' has the shape None, w"),
        ({**made(), 'more': torch.ones(2)}, r"its 'more' has the shape \[2\]"),
        (
            {**made(), 'x_embedding2.weight': torch.ones(4, 4)},
            r'has the shape \[4, 4\], where theirs has \[3, 4\]',
        ),
        (
            {**made(), 'gnns.0.linear.bias': torch.full((4,), math.nan)},
            "its 'gnns.0.linear.bias' is not finite",
        ),
        (
            {**made(), 'batch_norms.1.running_var': -torch.ones(4)},
            "its 'batch_norms.1.running_var' is negative",
        ),
        ({'gnns.0.mlp.0.weight': torch.ones(2, 2)}, 'it is of their GIN'),
    ],
)
def test_refused_files(content, reason, tmp_path):
    path = tmp_path / 'other.pth'
    torch.save(content, path)
    with pytest.raises(ValueError, match=f"'path' must be .*{reason}"):
        load_pretrain_gnns(path)


@pytest.mark.parametrize(
    'value',
    [
        torch.eye(4).to_sparse(),
        torch.empty(4, 4, device='meta'),
        torch.eye(4).to(torch.complex64),
        torch.eye(4).to(torch.float8_e4m3fn),
        torch.zeros(1).expand(10**7, 10**6),  # Of four bytes in the file.
    ],
    ids=['sparse', 'meta', 'complex', 'eight bits', 'repeated'],
)
def test_tensors_that_are_not_plain(value, tmp_path):
    path = tmp_path / 'other.pth'
    torch.save({**made(), 'gnns.0.linear.weight': value}, path)
    with pytest.raises(ValueError, match="linear.weight' is no plain tensor"):
        load_pretrain_gnns(path)


def test_compressed_file(path):
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    with pytest.raises(ValueError, match='its parts are compressed'):
        load_pretrain_gnns(path)


def test_no_file_of_tensors(tmp_path):
    with pytest.raises(ValueError, match='No such file'):
        load_pretrain_gnns(tmp_path / 'missing.pth')
    path = tmp_path / 'plain.pth'
    path.write_bytes(pickle.dumps(Code(), protocol=2))
    with pytest.raises(ValueError, match='no file of plain tensors'):
        load_pretrain_gnns(path)
    path.write_bytes(b'')
    with pytest.raises(ValueError, match='no file of plain tensors: EOFErr'):
        load_pretrain_gnns(path)
