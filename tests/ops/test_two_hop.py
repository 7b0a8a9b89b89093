from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Batch, Data

from gmoe.datasets import OGBMolDataset
from gmoe.ops import AVAILABLE, eager_ops
from gmoe.ops.two_hop import two_hop_edges
from tests.devices import assert_same_bits, move

MODES = ('exact', 'released')
needs_native = pytest.mark.skipif(
    not AVAILABLE, reason='the fused ops are not built'
)


@pytest.fixture(params=['native', 'eager'])
def version(request: pytest.FixtureRequest) -> Iterator[str]:
    """Both versions of the op."""
    if request.param == 'eager':
        with eager_ops():
            yield 'eager'
    elif AVAILABLE:
        yield 'native'
    else:
        pytest.skip('the fused ops are not built')


@st.composite
def graphs(draw, max_nodes: int = 7, max_edges: int = 14) -> Data:
    """Directed, with isolated nodes, self-loops and multi-edges."""
    num_nodes = draw(st.integers(1, max_nodes))
    node = st.integers(0, num_nodes - 1)
    edges = draw(st.lists(st.tuples(node, node), max_size=max_edges))
    edge_index = torch.tensor(edges, dtype=torch.long).view(-1, 2).t()
    return Data(
        edge_index=edge_index.contiguous(),
        edge_attr=torch.arange(2 * len(edges)).view(-1, 2),
        num_nodes=num_nodes,
    )


def slow_two_hop(data: Data, mode: str, coalesce: bool) -> list[list[int]]:
    """Rows `[u, w, first edge, second edge]`, by the definition."""
    edges = list(zip(*data.edge_index.tolist()))
    out, seen = [], set()
    for i, (u, v) in enumerate(edges):
        for j, (start, w) in enumerate(edges):
            if start != v or w == u:
                continue
            if mode == 'exact' and (u, w) in edges:
                continue
            starting = [k for k, edge in enumerate(edges) if edge[0] == u]
            if mode == 'released' and w in starting:
                continue
            if coalesce and (u, w) in seen:
                continue
            seen.add((u, w))
            out.append([u, w, i, j])
    return out


def as_expected(data: Data, rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    u, w, first, second = torch.tensor(rows, dtype=torch.long).view(-1, 4).t()
    attr = data.edge_attr
    return torch.stack([u, w]), torch.cat([attr[first], attr[second]], -1)


@pytest.mark.parametrize('coalesce', [False, True])
@pytest.mark.parametrize('mode', MODES)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=graphs())
def test_two_hop_edges_match_loop(
    device: torch.device,
    version: str,
    mode: str,
    coalesce: bool,
    data: Data,
):
    edge_index, edge_attr = two_hop_edges(
        data.edge_index.to(device),
        data.edge_attr.to(device),
        data.num_nodes,
        mode=mode,
        coalesce=coalesce,
    )
    expected = as_expected(data, slow_two_hop(data, mode, coalesce))
    assert torch.equal(edge_index.cpu(), expected[0])
    assert torch.equal(edge_attr.cpu(), expected[1])


@pytest.mark.parametrize('mode', MODES)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data_list=st.lists(graphs(), min_size=1, max_size=4))
def test_two_hop_edges_of_batch(
    version: str, mode: str, data_list: list[Data]
):
    batch = Batch.from_data_list(data_list)
    edge_index, edge_attr = two_hop_edges(
        batch.edge_index,
        batch.edge_attr,
        batch.num_nodes,
        mode=mode,
        batch=batch.batch,
    )
    single = [
        two_hop_edges(
            data.edge_index, data.edge_attr, data.num_nodes, mode=mode
        )
        for data in data_list
    ]
    expected = [out[0] + batch.ptr[i] for i, out in enumerate(single)]
    assert torch.equal(edge_index, torch.cat(expected, dim=1))
    assert torch.equal(edge_attr, torch.cat([out[1] for out in single]))


@settings(max_examples=30, deadline=None)
@given(data=graphs(), seed=st.integers(0, 100))
def test_two_hop_edges_are_permutation_equivariant(data: Data, seed: int):
    generator = torch.Generator().manual_seed(seed)
    perm = torch.randperm(data.num_nodes, generator=generator)
    expected, _ = two_hop_edges(data.edge_index, None, data.num_nodes)
    out, _ = two_hop_edges(perm[data.edge_index], None, data.num_nodes)
    assert torch.equal(out, perm[expected])


def test_two_hop_edges_of_triangle_and_ring():
    triangle = torch.tensor([[0, 1, 1, 2, 2, 0], [1, 0, 2, 1, 0, 2]])
    assert two_hop_edges(triangle)[0].size(1) == 0

    ring = torch.tensor([[0, 1, 1, 2, 2, 3, 3, 0], [1, 0, 2, 1, 3, 2, 0, 3]])
    out, _ = two_hop_edges(ring)
    assert out.size(1) == 8  # Two paths for each of the four pairs.
    out, _ = two_hop_edges(ring, coalesce=True)
    assert out.size(1) == 4


def test_two_hop_edges_released_loses_a_pair_and_keeps_a_triangle():
    # Node 2 is at distance two from node 0, but edge 2 starts at node 0.
    edge_index = torch.tensor([[0, 1, 0], [1, 2, 3]])
    assert two_hop_edges(edge_index)[0].tolist() == [[0], [2]]
    assert two_hop_edges(edge_index, mode='released')[0].numel() == 0

    triangle = torch.tensor([[0, 1, 0], [1, 3, 3]])
    assert two_hop_edges(triangle)[0].numel() == 0
    out, _ = two_hop_edges(triangle, mode='released')
    assert out.tolist() == [[0], [3]]


def test_two_hop_edges_attr_shapes_and_gradient(version: str):
    edge_index = torch.tensor([[0, 1, 2], [1, 2, 3]])
    weight = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    _, out = two_hop_edges(edge_index, weight)
    assert out.tolist() == [[1, 2], [2, 3]]
    out.sum().backward()
    assert weight.grad.tolist() == [1, 2, 1]
    assert two_hop_edges(edge_index)[1] is None
    attr = torch.arange(12).view(3, 2, 2)
    _, out = two_hop_edges(edge_index, attr)
    assert torch.equal(out[1], torch.cat([attr[1], attr[2]], dim=-1))

    empty = torch.empty(2, 0, dtype=torch.long)
    for num_nodes in [None, 0, 1, 5]:
        for mode in MODES:
            out, attr = two_hop_edges(
                empty, torch.empty(0, 3), num_nodes, mode=mode
            )
            assert out.shape == (2, 0)
            assert attr.shape == (0, 6)


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        ({'edge_index': torch.zeros(2, 1, dtype=torch.int)}, 'torch.int64'),
        (
            {'edge_index': torch.zeros(3, 1, dtype=torch.long)},
            r'\[2, num_edges',
        ),
        ({'edge_index': torch.tensor([[0], [-1]])}, 'ids from -1'),
        ({'num_nodes': 1}, 'from 0 to 0'),
        ({'num_nodes': -1}, "'num_nodes' must be an integer >= 0"),
        ({'edge_attr': torch.zeros(3, 1)}, "'edge_attr'.*2 edges.*3, 1"),
        ({'edge_attr': torch.tensor(1.0)}, "'edge_attr'"),
        ({'mode': 'fast'}, "'mode' must be one of .*'fast'"),
        (
            {'batch': torch.zeros(2, dtype=torch.long), 'num_nodes': 3},
            "'batch'",
        ),
        ({'batch': torch.zeros(3)}, "'batch'.*int64"),
        ({'batch': torch.zeros(3, 1, dtype=torch.long)}, "'batch'.*shape"),
        ({'batch': torch.tensor([1, 0, 0]), 'mode': 'released'}, 'sorted'),
        ({'batch': torch.tensor([-1, 0, 0]), 'mode': 'released'}, '>= 0, got'),
        ({'batch': torch.tensor([0, 0, 1]), 'mode': 'released'}, 'two graphs'),
        (
            {
                'edge_index': torch.tensor([[2, 0], [3, 1]]),
                'mode': 'released',
                'batch': torch.tensor([0, 0, 1, 1]),
            },
            'grouped',
        ),
    ],
)
def test_two_hop_edges_errors(version: str, kwargs: dict, match: str):
    kwargs = {'edge_index': torch.tensor([[0, 1], [1, 2]]), **kwargs}
    with pytest.raises(ValueError, match=match):
        two_hop_edges(**kwargs)


def test_two_hop_edges_type_errors():
    with pytest.raises(TypeError, match="'edge_index'.*list"):
        two_hop_edges([[0], [1]])
    with pytest.raises(TypeError, match="'edge_attr'.*list"):
        two_hop_edges(torch.tensor([[0], [1]]), [1])


def random_batch() -> tuple[Tensor, Tensor, int, Tensor]:
    """Two graphs with hubs, self-loops, multi-edges and isolated nodes, in
    enough paths for several threads."""
    generator = torch.Generator().manual_seed(0)
    edge_index = torch.randint(300, (2, 4000), generator=generator)
    edge_index[:, 2000:] += 400
    edge_index[0, :200] = 7  # A hub, of out- and of in-edges.
    edge_index[1, 300:500] = 7
    edge_attr = torch.randint(5, (4000, 3), generator=generator)
    return edge_index, edge_attr, 800, torch.arange(800) // 400


@needs_native
@pytest.mark.parametrize('coalesce', [False, True])
@pytest.mark.parametrize('mode', MODES)
def test_native_equals_eager_for_any_number_of_threads(
    mode: str, coalesce: bool
):
    edge_index, edge_attr, num_nodes, batch = random_batch()

    def call() -> tuple[Tensor, Tensor]:
        return two_hop_edges(
            edge_index,
            edge_attr,
            num_nodes,
            mode=mode,
            coalesce=coalesce,
            batch=batch,
        )

    with eager_ops():
        expected = call()
    assert expected[0].size(1) > 30000 or coalesce
    try:
        for num_threads in (1, 2, 5):
            torch.set_num_threads(num_threads)
            for out, value in zip(call(), expected):
                assert torch.equal(out, value)
    finally:
        torch.set_num_threads(1)


@needs_native
def test_native_of_non_contiguous_and_int32():
    edge_index, edge_attr, num_nodes, _ = random_batch()
    expected = two_hop_edges(edge_index, edge_attr, num_nodes)
    out = two_hop_edges(edge_index.t().contiguous().t(), edge_attr, num_nodes)
    assert torch.equal(out[0], expected[0])
    assert torch.equal(out[1], expected[1])

    edges = edge_index.int()
    out_index, path = torch.ops.gmoe.two_hop(edges, edges[1], num_nodes, False)
    assert out_index.dtype == path.dtype == torch.int32
    assert torch.equal(out_index.long(), expected[0])
    assert torch.equal(edge_index[0][path[:, 0]], expected[0][0])
    assert torch.equal(edge_index[1][path[:, 1]], expected[0][1])


@needs_native
def test_native_opcheck_and_compile():
    edge_index, _, num_nodes, _ = random_batch()
    for edges in (edge_index, edge_index.int(), edge_index[:, :0]):
        args = (edges, edges[1], num_nodes, False)
        torch.library.opcheck(torch.ops.gmoe.two_hop.default, args)

    @torch.compile(fullgraph=True, backend='aot_eager', dynamic=True)
    def degree(edges: Tensor) -> Tensor:
        out, _ = torch.ops.gmoe.two_hop(edges, edges[1], num_nodes, False)
        return torch.zeros(num_nodes).index_add(
            0, out[1], torch.ones(out.size(1))
        )

    for edges in (edge_index, edge_index[:, 500:].contiguous()):
        out, _ = two_hop_edges(edges, num_nodes=num_nodes)
        expected = torch.bincount(out[1], minlength=num_nodes)
        assert torch.equal(degree(edges).long(), expected)


@needs_native
@pytest.mark.parametrize(
    ('args', 'match'),
    [
        ((torch.zeros(3, 1).long(), torch.zeros(1).long(), 1), 'edge_index'),
        ((torch.zeros(2, 1), torch.zeros(1), 1), 'int32 or int64'),
        ((torch.zeros(2, 2).long(), torch.zeros(1).long(), 1), 'blocked'),
        ((torch.ones(2, 1).long(), torch.zeros(1).long(), 1), 'edge_index'),
        ((-torch.ones(2, 1).long(), torch.zeros(1).long(), 1), 'edge_index'),
    ],
)
def test_native_refuses_what_it_cannot_read(args: tuple, match: str):
    with pytest.raises(RuntimeError, match=match):
        torch.ops.gmoe.two_hop(*args, False)


@needs_native
@pytest.mark.parametrize('mode', MODES)
def test_native_equals_eager_on_every_molecule(mode: str, data_root: Path):
    dataset = OGBMolDataset('ogbg-molhiv', data_root / 'ogb', download=False)
    data, ptr = dataset._data, dataset.slices['x']
    graph = torch.arange(len(dataset))
    edge_graph = graph.repeat_interleave(dataset.slices['edge_index'].diff())

    def call() -> tuple[Tensor, Tensor]:
        return two_hop_edges(
            data.edge_index + ptr[edge_graph],
            data.edge_attr,
            mode=mode,
            batch=graph.repeat_interleave(ptr.diff()),
        )

    out = call()
    with eager_ops():
        expected = call()
    assert torch.equal(out[0], expected[0])
    assert torch.equal(out[1], expected[1])


@pytest.mark.parametrize('coalesce', [False, True])
@pytest.mark.parametrize('mode', MODES)
def test_each_device(fused_device: torch.device, mode: str, coalesce: bool):
    edge_index, edge_attr, num_nodes, batch = random_batch()
    for edges in (edge_index, edge_index[:, :0]):
        case = (edges, edge_attr[: edges.size(1)], batch)

        def call(edges, attr, batch):
            return two_hop_edges(
                edges,
                attr,
                num_nodes,
                mode=mode,
                coalesce=coalesce,
                batch=batch,
            )

        with eager_ops():
            expected = call(*case)
        assert_same_bits(call(*move(case, fused_device)), expected)


def test_ids_of_32_bits_on_each_device(fused_device: torch.device):
    edges = random_batch()[0].int()
    expected = torch.ops.gmoe.two_hop(edges, edges[1], 800, False)
    edges = edges.to(fused_device)
    out = torch.ops.gmoe.two_hop(edges, edges[1], 800, False)
    assert_same_bits(out, expected)
