"""Fixed and random splits."""

import pytest
import torch

from gmoe.datasets.nodes.splits import MASKS, random_masks, take_split
from tests.datasets.nodes import small


def test_one_of_several(tmp_path):
    expected = small.make_graph(num_splits=4)
    data = small.make_graph(num_splits=4)
    assert take_split(data, 2, 0) == 'The split is number 2 of 4'
    for key in MASKS:
        assert torch.equal(data[key], expected[key][:, 2])


@pytest.mark.parametrize('split', [4, -1, 1.5, True, 'public', [0]])
def test_no_such_split(split):
    with pytest.raises(ValueError, match="'split' must be 0 to 3, or"):
        take_split(small.make_graph(num_splits=4), split, 0)


def test_number_without_masks():
    data = small.make_graph()
    for key in MASKS:
        del data[key]
    with pytest.raises(ValueError, match="'split' must be 'random', got 0"):
        take_split(data, 0, 0)
    assert 'random, with seed 3' in take_split(data, None, 3)
    assert all(data[key].shape == (small.NUM_NODES,) for key in MASKS)


def test_random_split_is_that_of_its_seed():
    y = torch.arange(100) % 7 - 1  # Some are not known.
    masks = random_masks(y, 0)
    total = sum(mask.int() for mask in masks.values())
    assert torch.equal(total, (y >= 0).int())
    known = int((y >= 0).sum())
    assert int(masks['train_mask'].sum()) == round(0.6 * known)
    assert int(masks['val_mask'].sum()) == round(0.2 * known)
    again, other = random_masks(y, 0), random_masks(y, 1)
    assert torch.equal(masks['train_mask'], again['train_mask'])
    assert not torch.equal(masks['train_mask'], other['train_mask'])
    labels = torch.zeros(100, 2).masked_fill((y < 0).view(-1, 1), torch.nan)
    of_labels = random_masks(labels, 0)
    assert torch.equal(masks['test_mask'], of_labels['test_mask'])


def test_masks_that_are_none():
    data = small.make_graph()
    data.val_mask = data.val_mask.long()
    with pytest.raises(ValueError, match="'val_mask' must be a bool"):
        take_split(data, None, 0)
    del data.val_mask
    with pytest.raises(ValueError, match="'data' must have the masks"):
        take_split(data, None, 0)
