import hashlib

import pytest
import torch
from torch import Tensor
from torch_geometric.loader import DataLoader
from torch_geometric.utils import contains_self_loops, is_undirected

from gmoe.datasets import HopMixture
from gmoe.ops.two_hop import two_hop_edges


def votes(dataset: HopMixture, hop: int) -> Tensor:
    """Returns the votes for colour 1 minus those for 0, at each query."""
    batch = next(iter(DataLoader(dataset, batch_size=len(dataset))))
    edge_index = batch.edge_index
    if hop == 2:
        edge_index, _ = two_hop_edges(
            edge_index, None, batch.num_nodes, coalesce=True
        )
    src, dst = edge_index[:, batch.x[edge_index[0], 1] == 1]
    out = torch.zeros(len(dataset), dtype=torch.long)
    return out.index_add_(0, batch.batch[src], 2 * batch.x[dst, 0] - 1)


def test_hop_mixture_graphs():
    dataset = HopMixture(200, seed=1)
    assert len(dataset) == 200
    assert str(dataset) == 'HopMixture(200)'
    assert (dataset.num_tasks, dataset.num_classes) == (1, 2)
    assert dataset.task_type == 'binary classification'
    assert dataset.eval_metric == 'acc'
    degree = dataset._data.edge_index.size(1) / dataset._data.x.size(0)
    assert 1.8 < degree < 3.0

    for i, data in enumerate(dataset):
        assert 10 <= data.num_nodes <= 20
        assert data.x.dtype == data.edge_attr.dtype == torch.long
        for value, dims in [
            (data.x, dataset.node_feature_dims),
            (data.edge_attr, dataset.edge_feature_dims),
        ]:
            assert value.size(1) == len(dims)
            assert bool((value < torch.tensor(dims)).all())
        assert data.y.shape == (1, 1)
        assert data.y.dtype == torch.float
        assert data.graph_id.tolist() == [i]
        assert int(data.x[:, 1].sum()) == 1
        assert torch.equal(data.hop, data.x[:, 2] + 1)
        assert len(data.hop.unique()) == 1
        assert is_undirected(data.edge_index, data.edge_attr)
        assert not contains_self_loops(data.edge_index)
        assert len(set(zip(*data.edge_index.tolist()))) == data.num_edges


def test_hop_mixture_label_needs_the_right_hop():
    dataset = HopMixture(4000, seed=2)
    y, hop = dataset._data.y.view(-1) == 1, dataset._data.hop
    hop = hop[dataset.slices['hop'][:-1]]
    assert int((hop == 1).sum()) == 2000
    x = dataset._data.x
    query_color = x[x[:, 1] == 1, 0] == 1
    vote = {i: votes(dataset, i) for i in [1, 2]}
    assert set(vote[1].abs().tolist()) == {1, 3, 5}
    assert set(vote[2].abs().tolist()) == {1, 3, 5}
    answer = {1: (vote[1] > 0) == query_color, 2: vote[2].abs() > 1}
    for right in [1, 2]:
        mask = hop == right
        assert abs(float(y[mask].double().mean()) - 0.5) < 0.01
        assert torch.equal(answer[right][mask], y[mask])
        for chance in [
            answer[3 - right],
            vote[1].abs() > 1 if right == 1 else vote[1] > 0,
            vote[1] > 0,
            vote[2] > 0,
            query_color,
        ]:
            share = (chance == y)[mask].double().mean()
            assert abs(float(share) - 0.5) < 0.035  # Three deviations.


def test_hop_mixture_is_deterministic():
    def digest(dataset: HopMixture) -> str:
        out = hashlib.sha256()
        for key, value in sorted(dataset._data.to_dict().items()):
            out.update(key.encode() + value.contiguous().numpy().tobytes())
        return out.hexdigest()

    torch.manual_seed(7)
    value = digest(HopMixture(100, seed=3))
    assert value == digest(HopMixture(100, seed=3))
    assert value != digest(HopMixture(100, seed=4))
    assert value.startswith('1ddfd30ba740b2bb')


def test_hop_mixture_splits():
    full = HopMixture(100, seed=5)
    split = full.get_idx_split()
    assert [len(index) for index in split.values()] == [80, 10, 10]
    assert torch.cat(list(split.values())).tolist() == list(range(100))
    for name, index in split.items():
        part = HopMixture(100, seed=5, split=name)
        assert len(part) == len(index)
        for a, b in zip(part, full[index]):
            for key, value in a.to_dict().items():
                assert torch.equal(value, b[key])
    assert HopMixture(100, 5, 'val')[0].graph_id.tolist() == [80]

    # Each part has randomness of its own.
    valid, test = HopMixture(100, 5, 'val'), HopMixture(100, 5, 'test')
    assert any(
        a.x.shape != b.x.shape or not torch.equal(a.x, b.x)
        for a, b in zip(valid, test)
    )


def test_hop_mixture_transform_and_errors():
    def transform(data):
        data.seen = True
        return data

    assert HopMixture(10, transform=transform)[0].seen
    with pytest.raises(ValueError, match="'num_graphs'.*9"):
        HopMixture(9)
    with pytest.raises(ValueError, match="'seed'.*-1"):
        HopMixture(10, seed=-1)
    with pytest.raises(ValueError, match="'split'.*'dev'"):
        HopMixture(10, split='dev')
    with pytest.raises(ValueError, match="'split' must be None.*'test'"):
        HopMixture(10, split='test').get_idx_split()


def test_copy_of_a_part():
    dataset = HopMixture(20)
    part = dataset[[19, 3, 17]].copy()
    split = part.get_idx_split()
    assert {key: index.tolist() for key, index in split.items()} == {
        'train': [1],
        'valid': [2],
        'test': [0],
    }
    assert torch.equal(part[1].x, dataset[3].x)
