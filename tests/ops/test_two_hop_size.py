"""More hop-2 edges than are wanted, or than there is memory for."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Data

from gmoe.ops import AVAILABLE, eager_ops, two_hop_edges
from gmoe.ops._two_hop_size import choose, most_hop_2, num_paths
from gmoe.transforms import TwoHop
from tests.graphs import graphs, random_graph

VERSIONS: list[Callable] = [eager_ops]
if AVAILABLE:
    VERSIONS.append(nullcontext)


def star(num_leaves: int) -> Tensor:
    leaf = torch.arange(1, num_leaves + 1)
    edges = torch.stack([leaf, torch.zeros_like(leaf)])
    return torch.cat([edges, edges.flip(0)], dim=1)


@pytest.mark.parametrize('version', VERSIONS)
def test_a_star_says_how_many_there_would_be(version: Callable):
    with version():
        said = (
            r"^'edge_index' must make at most 1,000,000 hop-2 edges "
            r'\(max_edges\), got one that makes up to 899,970,000:'
        )
        with pytest.raises(ValueError, match=said):
            two_hop_edges(star(30_000), max_edges=10**6)
        # More than the memory of any machine.
        with pytest.raises(ValueError, match='memory.*to 89,999,700,000:'):
            TwoHop()(Data(edge_index=star(300_000), num_nodes=300_001))
        # Few enough to count them one by one.
        with pytest.raises(ValueError, match='at most 5 .* makes 12:'):
            two_hop_edges(star(4), max_edges=5)
        assert two_hop_edges(star(4), max_edges=12)[0].size(1) == 12


@pytest.mark.parametrize('mode', ['exact', 'released'])
@pytest.mark.parametrize('coalesce', [False, True])
def test_some_of_too_many_are_drawn(mode: str, coalesce: bool):
    # From so many paths that they are not all made, and from few.
    for edges, size in ((star(30_000), 500), (star(20), 50)):
        attr = torch.arange(edges.size(1)).view(-1, 1)

        def call(
            seed: int, edges: Tensor = edges, attr: Tensor = attr, n=size
        ) -> tuple[Tensor, Tensor]:
            return two_hop_edges(
                edges,
                attr,
                mode=mode,
                coalesce=coalesce,
                max_edges=n,
                seed=seed,
            )

        out, path = call(1)
        assert out.size(1) == size
        assert torch.equal(edges[0][path[:, 0]], out[0])
        assert torch.equal(edges[1][path[:, 0]], edges[0][path[:, 1]])
        assert torch.equal(edges[1][path[:, 1]], out[1])
        assert bool((out[0] != out[1]).all())
        assert out.unique(dim=1).size(1) == size
        assert not torch.equal(call(2)[0], out)
        for version in VERSIONS:
            with version():
                again, path_again = call(1)
            assert torch.equal(again, out)
            assert torch.equal(path_again, path)


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(0, 40), st.integers(0, 9))
def test_drawn_ones_are_hop_2_edges_in_order(data, size, seed):
    full, attr = two_hop_edges(data.edge_index, data.edge_attr, data.num_nodes)
    out, attr_out = two_hop_edges(
        data.edge_index, data.edge_attr, max_edges=size, seed=seed
    )
    kept = choose(full.size(1), size, seed)
    assert torch.equal(out, full[:, kept])
    assert torch.equal(attr_out, attr[kept])
    assert out.size(1) == min(size, full.size(1))

    most = most_hop_2(data.edge_index, data.num_nodes, False)
    edges = list(zip(*data.edge_index.tolist()))
    paths = [(u, w) for u, v in edges for a, w in edges if v == a]
    assert num_paths(data.edge_index, data.num_nodes) == len(paths)
    assert most == sum(u != w for u, w in paths) >= full.size(1)
    most = most_hop_2(data.edge_index, data.num_nodes, True)
    assert most >= full.unique(dim=1).size(1)


def test_paths_that_are_no_hop_2_edges_are_drawn_again(monkeypatch):
    # In a dense graph hardly a path is one: more and more are drawn.
    monkeypatch.setattr('gmoe.ops.two_hop.FEW_PATHS', 0)
    n = 40
    edges = (1 - torch.eye(n)).nonzero().t()
    edges = edges[:, (edges[0] // 2 != edges[1] // 2) | (edges[0] > 4)]
    full, _ = two_hop_edges(edges)
    assert 0 < full.size(1) < 0.01 * num_paths(edges, n)
    out, _ = two_hop_edges(edges, max_edges=100, seed=0)
    assert out.size(1) == 100
    code = (full * torch.tensor([[n], [1]])).sum(dim=0)
    assert torch.isin((out * torch.tensor([[n], [1]])).sum(dim=0), code).all()


def test_choose_gives_each_the_same_chance():
    for total, size in ((30, 20), (1000, 20)):
        counts = torch.zeros(total)
        for seed in range(400):
            out = choose(total, size, seed)
            assert out.numel() == size
            assert bool((out.diff() > 0).all())
            counts[out] += 1
        share = size / total
        sigma = (400 * share * (1 - share)) ** 0.5
        assert float((counts - 400 * share).abs().max()) < 5 * sigma
    assert choose(3, 5, 0).tolist() == [0, 1, 2]


@pytest.mark.parametrize('version', VERSIONS)
def test_nodes_without_edges_take_no_memory(version: Callable):
    edges = random_graph().edge_index
    expected, _ = two_hop_edges(edges)
    with version():
        for mode in ('exact', 'released'):
            value, _ = two_hop_edges(edges, mode=mode)
            out, _ = two_hop_edges(edges, num_nodes=2**60, mode=mode)
            assert torch.equal(out, value)
        shift = 2**60 - 9
        out, _ = two_hop_edges(edges + shift)
        assert torch.equal(out, expected + shift)
        with pytest.raises(ValueError, match='below 3,037,000,500 .*released'):
            two_hop_edges(edges + shift, mode='released')


def test_transform():
    data = random_graph(30, 60)
    out = TwoHop(max_edges=20, seed=3)(data)
    expected, attr = two_hop_edges(
        data.edge_index, data.edge_attr, max_edges=20, seed=3
    )
    assert torch.equal(out.edge_index_2hop, expected)
    assert torch.equal(out.edge_attr_2hop, attr)
    assert str(TwoHop(max_edges=20, seed=3)) == (
        "TwoHop(mode='exact', coalesce=False, max_edges=20, seed=3)"
    )
    with pytest.raises(ValueError, match='at most 20 hop-2 edges'):
        TwoHop(max_edges=20)(data)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'max_edges': -1}, "'max_edges' must be .* got -1"),
        ({'seed': 1}, "'seed' must be None without 'max_edges'.* got 1"),
    ],
)
def test_errors(kwargs: dict, message: str):
    with pytest.raises(ValueError, match=message):
        two_hop_edges(star(3), **kwargs)
    with pytest.raises(ValueError, match=message):
        TwoHop(**kwargs)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'max_edges': 2.5}, "'max_edges' must .*, got 2.5"),
        ({'max_edges': '5'}, "'max_edges' must .*, got '5'"),
        ({'max_edges': 5, 'seed': 'a'}, "'seed' must .*, got 'a'"),
        ({'max_edges': 5, 'seed': 2**64}, "'seed' must .*, got 1844"),
    ],
)
def test_caps_and_seeds_are_integers(change, message):
    with pytest.raises(ValueError, match=message):
        two_hop_edges(star(4), **change)
    with pytest.raises(ValueError, match=message):
        TwoHop(**change)


@pytest.mark.parametrize('num_nodes', [5.5, '5'])
def test_the_number_of_nodes_is_an_integer(num_nodes):
    with pytest.raises(ValueError, match="'num_nodes' must be an integer"):
        two_hop_edges(star(4), None, num_nodes)
