import pickle

import pytest
import torch
from torch_geometric.data import Batch

from gmoe.datasets import HopMixture, OGBMolDataset
from gmoe.datasets.collated import take_batch
from gmoe.training.batches import Batches
from gmoe.transforms import TwoHop


def assert_same(batch, expected):
    assert set(batch.keys()) == set(expected.keys())
    assert batch.num_graphs == expected.num_graphs
    for key in sorted(expected.keys()):
        assert batch[key].dtype == expected[key].dtype
        assert torch.equal(batch[key], expected[key]), key


def collated(dataset, index, two_hop):
    batch = Batch.from_data_list([dataset[i] for i in index])
    return batch if two_hop is None else two_hop(batch)


def shapes(batch):
    return {key: value.shape for key, value in batch.to_dict().items()}


@pytest.mark.parametrize('mode', [None, 'exact', 'released'])
@pytest.mark.parametrize('part', [None, [3, 17, 5, 40, 3]])
def test_same_as_collated(mode, part):
    dataset = HopMixture(60)
    if part is not None:
        dataset = dataset[part]
    two_hop = None if mode is None else TwoHop(mode)
    batches = Batches(dataset, two_hop)
    assert len(batches) == len(dataset)
    for index in ([0], [4, 1, 2], [2, 2], list(range(len(dataset)))):
        expected = collated(dataset, index, two_hop)
        assert_same(batches.__getitems__(index), expected)
    assert_same(batches[3], collated(dataset, [3], two_hop))


@pytest.mark.parametrize('mode', [None, 'exact'])
def test_same_as_collated_molecules(data_root, mode):
    dataset = OGBMolDataset('ogbg-molfreesolv', data_root / 'ogb')
    dataset = dataset[dataset.get_idx_split()['train']]
    two_hop = None if mode is None else TwoHop(mode)
    batches = Batches(dataset, two_hop)
    # Some of the first ones have no edges, or no hop-2 edges.
    for index in (range(20), range(100, 132), torch.randperm(len(dataset))):
        expected = collated(dataset, [int(i) for i in index], two_hop)
        assert_same(batches.__getitems__(list(index)), expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU here')
@pytest.mark.parametrize('mode', [None, 'exact'])
def test_on_a_gpu(mode):
    dataset = HopMixture(60)[10:]
    two_hop = None if mode is None else TwoHop(mode)
    batches = Batches(dataset, two_hop, 'cuda')
    expected = Batches(dataset, two_hop).__getitems__([4, 1, 2, 2])
    batches[0]
    try:
        torch.cuda.set_sync_debug_mode('error')
        batch = batches.__getitems__([4, 1, 2, 2])
    finally:
        torch.cuda.set_sync_debug_mode('default')
    assert all(value.is_cuda for value in batch.to_dict().values())
    assert_same(batch.cpu(), expected)


def test_sizes_come_from_the_slices_alone():
    # Tensors of the meta device have no values that could be asked for.
    dataset = HopMixture(20)
    data = dataset._data.clone().to('meta')
    batch = take_batch(data, dataset.slices, [7, 3])
    expected = take_batch(dataset._data, dataset.slices, [7, 3])
    assert batch.x.is_meta
    assert shapes(batch) == shapes(expected)


def test_dataset_is_left_alone():
    dataset = HopMixture(20)
    before = dataset[7]
    Batches(dataset, TwoHop()).__getitems__([7, 3])
    assert 'edge_index_2hop' not in dataset._data
    assert torch.equal(dataset[7].edge_index, before.edge_index)


def test_sent_to_another_process():
    batches = Batches(HopMixture(20)[5:], TwoHop())
    other = pickle.loads(pickle.dumps(batches))
    assert_same(other.__getitems__([1, 2]), batches.__getitems__([1, 2]))
