"""Whole networks under ``torch.compile``, on batches of changing size, and
layers on a GPU that nothing waits for, in a CUDA graph too."""

import shutil

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend
from torch_geometric.data import Batch, Data

from gmoe.nn import (
    ATOM_FEATURE_DIMS,
    BOND_FEATURE_DIMS,
    GNN,
    GCNExperts,
    GINExperts,
    GMoEConv,
    Neighborhood,
)
from gmoe.ops import CUDA_AVAILABLE, eager_ops
from gmoe.transforms import TwoHop
from tests.devices import (
    assert_near,
    assert_same_bits,
    capture,
    move,
    never_waits,
)
from tests.graphs import EDGE_DIMS, random_attr, random_graph


def molecules(num_graphs, seed):
    """A batch of random graphs with the features of molecules."""
    generator = torch.Generator().manual_seed(seed)

    def integers(dims, size):
        columns = [
            torch.randint(d, (size,), generator=generator) for d in dims
        ]
        return torch.stack(columns, dim=1)

    graphs = []
    for _ in range(num_graphs):
        n = int(torch.randint(3, 9, (1,), generator=generator))
        source, step = integers((n, n - 1), 2 * n).t()
        graph = Data(
            x=integers(ATOM_FEATURE_DIMS, n),
            edge_index=torch.stack([source, (source + 1 + step) % n]),
            edge_attr=integers(BOND_FEATURE_DIMS, 2 * n),
        )
        graphs.append(TwoHop()(graph))
    return Batch.from_data_list(graphs)


def run(function, network, batch, seed):
    """Outputs, gradients and running statistics of one training step."""
    state = {k: v.clone() for k, v in network.state_dict().items()}
    network.zero_grad()
    torch.manual_seed(seed)
    out = function(
        batch.x,
        batch.edge_index,
        batch.edge_attr,
        batch.batch,
        batch.edge_index_2hop,
        batch.edge_attr_2hop,
        batch_size=batch.num_graphs,
    )
    out.square().sum().backward()
    results = {'out': out.detach()}
    for name, parameter in network.named_parameters():
        grad = parameter.grad
        results[name] = torch.zeros(1) if grad is None else grad.clone()
    results |= {k: v.clone() for k, v in network.named_buffers()}
    network.load_state_dict(state)
    return results


def check(backend, training=True, tolerance=1e-9, num_layers=1, **kwargs):
    torch.manual_seed(0)
    torch.compiler.reset()
    network = GNN(2, 16, num_layers, num_experts=4, **kwargs)
    network = network.double().train(training)
    counter = CompileCounterWithBackend(backend)
    compiled = torch.compile(
        network, fullgraph=True, dynamic=True, backend=counter
    )
    for seed, num_graphs in enumerate((3, 7, 12)):
        batch = molecules(num_graphs, seed)
        results = run(compiled, network, batch, seed)
        for name, value in run(network, network, batch, seed).items():
            torch.testing.assert_close(
                results[name],
                value,
                rtol=tolerance,
                atol=tolerance,
                msg=lambda text, name=name: f'{name}: {text}',
            )
    assert counter.frame_count <= 2
    torch.compiler.reset()


@pytest.mark.parametrize(
    ('conv', 'kwargs'),
    [
        ('gcn', {'num_experts_1hop': 4, 'top_k': 1}),
        ('gcn', {'num_experts_1hop': 2, 'top_k': 2}),
        ('gin', {'num_experts_1hop': 2, 'top_k': 2}),
        (
            'gin',
            {
                'num_experts_1hop': 0,
                'router': 'linear_softmax',
                'norm': 'layer_norm',
            },
        ),
        (
            'gin',
            {
                'num_experts_1hop': 3,
                'router': 'uniform',
                'virtual_node': True,
                'moe_layers': [1],
                'num_layers': 2,
            },
        ),
    ],
)
def test_one_graph_for_all_sizes(conv, kwargs):
    check('aot_eager', conv=conv, dropout=0.0, **kwargs)


@pytest.mark.parametrize('training', [True, False])
def test_dropout_and_evaluation(training):
    kwargs = {'num_experts_1hop': 2, 'top_k': 2, 'dispatch': 'dense'}
    check('aot_eager', training, conv='gcn', dropout=0.5, **kwargs)


@pytest.mark.skipif(shutil.which('g++') is None, reason='no C++ compiler here')
def test_inductor():
    # It draws noise with a generator of its own: results agree without.
    check(
        'inductor',
        tolerance=1e-7,
        conv='gcn',
        num_experts_1hop=2,
        top_k=2,
        router_kwargs={'noise': False},
        dropout=0.0,
    )


def make_layer(kind, top_k, device='cpu'):
    """A layer in training, and its inputs: nodes, hop 1 and hop 2."""
    torch.manual_seed(0)
    bank = {'gcn': GCNExperts, 'gin': GINExperts}[kind]
    layer = GMoEConv(bank(16, 16, 4, 2, EDGE_DIMS), top_k=top_k).double()
    layer.router.score_noise = None  # Devices draw different noise.
    layer.router.noise = False
    data = random_graph(40, 120, 16, seed=1)
    attr_2hop = torch.cat(
        [random_attr(120, torch.Generator().manual_seed(s)) for s in (2, 3)],
        dim=1,
    )
    edges = [(data.edge_index, data.edge_attr), (data.edge_index, attr_2hop)]
    x = data.x.requires_grad_()
    return layer.to(device), move(x, device), move(edges, device)


def step(layer, x, edges):
    hops = [Neighborhood.from_edge_index(*edge, x.size(0)) for edge in edges]
    out = layer(x, hops[0], edge_index_2hop=hops[1])
    leaves = [x, *layer.parameters()]
    grads = torch.autograd.grad(out.square().sum(), leaves, allow_unused=True)
    return [out.detach(), *(g for g in grads if g is not None)]


@pytest.mark.parametrize('top_k', [1, 3])
@pytest.mark.parametrize('kind', ['gcn', 'gin'])
def test_layer_on_each_device(fused_device, kind, top_k):
    with eager_ops():
        expected = step(*make_layer(kind, top_k))
    case = make_layer(kind, top_k, fused_device)
    step(*case)  # Loads the kernels.
    with never_waits(fused_device):
        results, again = step(*case), step(*case)
    assert_near(results, expected, 1e-9, 1e-10)
    assert_same_bits(results, again)


@pytest.mark.skipif(not CUDA_AVAILABLE, reason='no fused ops for CUDA here')
@pytest.mark.parametrize('top_k', [1, 3])
@pytest.mark.parametrize('kind', ['gcn', 'gin'])
def test_layer_in_a_cuda_graph(kind, top_k):
    layer, x, edges = make_layer(kind, top_k, 'cuda')
    graph, captured = capture(lambda: step(layer, x, edges))
    with torch.no_grad():
        x.mul_(-0.5)  # Other nodes for each expert.
        for edge_index, _ in edges:
            edge_index[0].add_(1).remainder_(40)
    graph.replay()
    results = [t.clone() for t in captured]
    assert_same_bits(results, step(layer, x, edges))
