import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import Compose

from gmoe.ops.two_hop import two_hop_edges
from gmoe.transforms import DropNodes, TwoHop


def random_graph(seed: int) -> Data:
    generator = torch.Generator().manual_seed(seed)

    def integers(high: int, *size: int) -> torch.Tensor:
        return torch.randint(high, size, generator=generator)

    num_nodes, num_edges = int(integers(12, 1)) + 1, int(integers(25, 1))
    return Data(
        x=torch.arange(num_nodes).view(-1, 1),
        edge_index=integers(num_nodes, 2, num_edges),
        edge_attr=torch.arange(num_edges),
        hop=torch.arange(num_nodes) * 10,
        y=torch.tensor([[float(seed)]]),
        graph_id=torch.tensor([seed]),
        name=f'graph {seed}',
    )


def assert_same(a: Data, b: Data) -> None:
    assert set(a.keys()) == set(b.keys())
    for key in a.keys():  # noqa: SIM118
        if isinstance(a[key], torch.Tensor):
            assert torch.equal(a[key], b[key]), key
        else:
            assert a[key] == b[key]


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), min_nodes=st.integers(0, 8))
def test_drop_nodes_keeps_the_induced_subgraph(seed: int, min_nodes: int):
    data = random_graph(seed)
    torch.manual_seed(seed)
    out = DropNodes(0.5, min_nodes)(data)

    kept = out.x.view(-1).tolist()
    assert len(kept) > 0
    if data.num_nodes < min_nodes:
        assert len(kept) == data.num_nodes
    assert torch.equal(out.hop, data.hop[kept])
    expected = [
        (u, v, i)
        for i, (u, v) in enumerate(data.edge_index.t().tolist())
        if u in kept and v in kept
    ]
    u, v = out.x.view(-1)[out.edge_index].tolist()
    assert list(zip(u, v, out.edge_attr.tolist())) == expected
    for key in ['y', 'graph_id', 'name']:
        assert out[key] is data[key]


@settings(max_examples=60, deadline=None)
@given(seeds=st.lists(st.integers(0, 10**6), min_size=1, max_size=6))
def test_drop_nodes_of_batch_is_that_of_singles(seeds: list[int]):
    data_list = [random_graph(seed) for seed in seeds]
    transform = DropNodes(0.4, generator=torch.Generator())
    transform.generator.manual_seed(seeds[0])
    single = [transform(data) for data in data_list]
    transform.generator.manual_seed(seeds[0])
    batch = transform(Batch.from_data_list(data_list))
    expected = Batch.from_data_list(single)

    assert_same(batch, expected)
    for key, slices in expected._slice_dict.items():
        assert torch.equal(batch._slice_dict[key], slices)
        if expected._inc_dict[key] is not None:
            assert torch.equal(batch._inc_dict[key], expected._inc_dict[key])
    for i, data in enumerate(batch.to_data_list()):
        assert_same(data, single[i])


def test_drop_nodes_then_two_hop():
    transform = Compose([DropNodes(0.3), TwoHop()])
    batch = Batch.from_data_list([random_graph(i) for i in range(20)])
    torch.manual_seed(1)
    out = transform(batch)
    assert 0 < out.num_nodes < batch.num_nodes
    edge_index, _ = two_hop_edges(out.edge_index, None, out.num_nodes)
    assert torch.equal(out.edge_index_2hop, edge_index)
    with pytest.raises(ValueError, match="'DropNodes' before 'TwoHop'"):
        DropNodes()(out)
    with pytest.raises(ValueError, match="'DropNodes' before 'TwoHop'"):
        DropNodes()(out[0])


def test_drop_nodes_leaves_input_alone():
    batch = Batch.from_data_list([random_graph(i) for i in range(9)])
    before = copy.deepcopy(batch)
    DropNodes(0.5)(batch)
    assert_same(batch, before)
    assert torch.equal(batch._slice_dict['x'], before._slice_dict['x'])


def test_drop_nodes_share_of_nodes_and_generator():
    edge_index = torch.empty(2, 0, dtype=torch.long)
    data = Data(edge_index=edge_index, num_nodes=10_000)
    torch.manual_seed(0)
    out = DropNodes(0.2)(data)
    assert 7800 < out.num_nodes < 8200
    torch.manual_seed(0)
    assert DropNodes(0.2)(data).num_nodes == out.num_nodes
    assert DropNodes(0.0)(data).num_nodes == data.num_nodes
    batch = DropNodes(0.2)(Batch.from_data_list([data, data]))
    assert sum(d.num_nodes for d in batch.to_data_list()) == batch.num_nodes
    assert batch.num_nodes < 17_000


@pytest.mark.parametrize('num_nodes', [1, 4])
def test_drop_nodes_leaves_small_graphs(num_nodes: int):
    data = Data(
        x=torch.zeros(num_nodes, 1),
        edge_index=torch.empty(2, 0, dtype=torch.long),
    )
    for _ in range(10):
        assert DropNodes(0.99)(data).num_nodes == num_nodes
    for _ in range(10):
        assert DropNodes(0.99, min_nodes=0)(data).num_nodes > 0


def test_drop_nodes_follow_batch_and_hand_made_batch():
    data_list = [random_graph(i) for i in range(8)]
    batch = Batch.from_data_list(data_list, follow_batch=['x', 'edge_attr'])
    out = DropNodes(0.4)(batch)
    assert torch.equal(out.x_batch, out.batch)
    assert torch.equal(out.x_ptr, out.ptr)
    assert out.edge_attr_batch.numel() == out.edge_attr.numel()
    assert int(out.edge_attr_ptr[-1]) == out.edge_attr.numel()

    data = data_list[1]
    batch = Batch(
        x=data.x,
        edge_index=data.edge_index,
        y=data.y,
        batch=torch.zeros(data.num_nodes, dtype=torch.long),
    )
    generator = torch.Generator()
    transform = DropNodes(0.4, generator=generator)
    generator.manual_seed(3)
    out = transform(batch)
    generator.manual_seed(3)
    assert torch.equal(out.edge_index, transform(data).edge_index)


def test_drop_nodes_label_of_graph_with_one_edge():
    data = Data(
        x=torch.zeros(6, 1),
        edge_index=torch.tensor([[0], [1]]),
        edge_attr=torch.zeros(1, 2),
        y=torch.ones(1, 1),
    )
    transform = DropNodes(0.5)
    outs = [transform(data) for _ in range(10)]
    outs += [transform(Batch.from_data_list([data])) for _ in range(10)]
    for out in outs:
        assert out.y.shape == (1, 1)
        assert out.edge_attr.size(0) == out.edge_index.size(1)
    assert any(out.edge_index.numel() == 0 for out in outs)


def test_drop_nodes_errors_and_repr():
    assert str(DropNodes()) == 'DropNodes(ratio=0.2, min_nodes=5)'
    for ratio in [-0.1, 1.0, 2.0, float('nan')]:
        with pytest.raises(ValueError, match=r"'ratio'.*\[0, 1\)"):
            DropNodes(ratio)
    with pytest.raises(ValueError, match="'min_nodes'.*-1"):
        DropNodes(min_nodes=-1)
    with pytest.raises(TypeError, match="'Data'"):
        DropNodes()('graph')
    with pytest.raises(ValueError, match="'edge_index'"):
        DropNodes()(Data(x=torch.zeros(2, 1)))
    data = random_graph(1)
    data.root_index = torch.tensor([0])
    with pytest.raises(ValueError, match="'root_index'"):
        DropNodes()(data)
