import copy
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import Compose

from gmoe.datasets import OGBMolDataset
from gmoe.ops.two_hop import two_hop_edges
from gmoe.transforms import TwoHop


def random_graph(seed: int, with_attr: bool = True) -> Data:
    generator = torch.Generator().manual_seed(seed)

    def integers(high: int, *size: int) -> torch.Tensor:
        return torch.randint(high, size, generator=generator)

    num_nodes, num_edges = int(integers(9, 1)) + 1, int(integers(20, 1))
    data = Data(
        x=integers(5, num_nodes, 2),
        edge_index=integers(num_nodes, 2, num_edges),
        y=torch.tensor([[float(seed)]]),
    )
    if with_attr:
        data.edge_attr = integers(5, num_edges, 3)
    return data


def assert_same(a: Data, b: Data) -> None:
    assert set(a.keys()) == set(b.keys())
    for key in a.keys():  # noqa: SIM118
        assert torch.equal(a[key], b[key]), key


@pytest.mark.parametrize('with_attr', [True, False])
@pytest.mark.parametrize('mode', ['exact', 'released'])
@settings(max_examples=30, deadline=None)
@given(seeds=st.lists(st.integers(0, 10**6), min_size=1, max_size=5))
def test_two_hop_of_batch_is_that_of_singles(
    mode: str,
    with_attr: bool,
    seeds: list[int],
):
    data_list = [random_graph(seed, with_attr) for seed in seeds]
    transform = TwoHop(mode)
    single = [transform(data) for data in data_list]
    batch = transform(Batch.from_data_list(data_list))
    expected = Batch.from_data_list(single)

    assert_same(batch, expected)
    assert set(batch._slice_dict) == set(expected._slice_dict)
    for key, slices in expected._slice_dict.items():
        assert torch.equal(batch._slice_dict[key], slices)
        assert torch.equal(batch._inc_dict[key], expected._inc_dict[key])
    for i, data in enumerate(batch.to_data_list()):
        assert_same(data, single[i])
        assert_same(batch[i], single[i])


def test_two_hop_leaves_input_alone():
    batch = Batch.from_data_list([random_graph(i) for i in range(4)])
    before = copy.deepcopy(batch)
    TwoHop()(batch)
    assert_same(batch, before)
    assert set(batch._slice_dict) == set(before._slice_dict)
    assert set(batch._inc_dict) == set(before._inc_dict)


def test_two_hop_twice_follows_changed_edges():
    data = TwoHop()(random_graph(3))
    data = copy.copy(data)
    data.edge_index = data.edge_index[:, :2]
    del data.edge_attr
    data = TwoHop(coalesce=True)(data)
    assert 'edge_attr_2hop' not in data
    expected, _ = two_hop_edges(data.edge_index, coalesce=True)
    assert torch.equal(data.edge_index_2hop, expected)

    batch = Batch.from_data_list([random_graph(i) for i in range(4)])
    once = TwoHop()(batch)
    assert_same(TwoHop()(once)[2], once[2])


def test_two_hop_of_hand_made_batch_and_in_loader():
    data = random_graph(1)
    batch = Batch(
        batch=torch.zeros(data.num_nodes, dtype=torch.long), **data.to_dict()
    )
    assert torch.equal(
        TwoHop('released')(batch).edge_index_2hop,
        TwoHop('released')(data).edge_index_2hop,
    )

    transform = Compose([TwoHop()])
    data_list = [transform(random_graph(i)) for i in range(6)]
    batch = next(iter(DataLoader(data_list, batch_size=6)))
    expected = TwoHop()(
        Batch.from_data_list([random_graph(i) for i in range(6)])
    )
    assert_same(batch, expected)


def test_two_hop_errors_and_repr():
    assert str(TwoHop()) == "TwoHop(mode='exact', coalesce=False)"
    with pytest.raises(ValueError, match="'mode'.*'near'"):
        TwoHop('near')
    with pytest.raises(TypeError, match="'Data'.*'Tensor'"):
        TwoHop()(torch.zeros(2))
    with pytest.raises(ValueError, match="'edge_index'.*'x'"):
        TwoHop()(Data(x=torch.zeros(2, 1)))
    with pytest.raises(ValueError, match="'batch' vector"):
        TwoHop()(Batch(edge_index=torch.zeros(2, 0, dtype=torch.long)))


def test_released_loses_pairs_of_molecules(data_root: Path):
    dataset = OGBMolDataset('ogbg-molhiv', data_root / 'ogb', download=False)
    # All of its graphs as one batch, without making each of them first.
    ptr = dataset.slices['x']
    graph = torch.arange(len(dataset))
    edge_graph = graph.repeat_interleave(dataset.slices['edge_index'].diff())
    batch = Batch(
        edge_index=dataset._data.edge_index + ptr[edge_graph],
        batch=graph.repeat_interleave(ptr.diff()),
        num_nodes=int(ptr[-1]),
    )

    def pairs(mode: str) -> torch.Tensor:
        src, dst = TwoHop(mode, coalesce=True)(batch).edge_index_2hop
        return src * batch.num_nodes + dst

    exact, released = pairs('exact'), pairs('released')
    lost = 1 - torch.isin(exact, released).double().mean()
    assert round(100 * float(lost), 1) == 4.5
