"""Texts with holes."""

import pytest

from benchmarks.switch.denoising import Denoising

MASK, END = 1, 0
TEXTS = [list(range(10, 210)), list(range(10, 15)), [7]]


def fill(item: dict[str, list[int]]) -> int:
    """Checks that what is left stands in order, and counts it."""
    *corrupted, end = item['input_ids']
    *text, label_end = item['labels']
    assert end == label_end == END
    left = [token for token in corrupted if token != MASK]
    assert left == sorted(left)
    assert set(left) <= set(text)
    pairs = zip(corrupted, corrupted[1:])
    assert (MASK, MASK) not in pairs
    # A hole stands for at least one token.
    assert corrupted.count(MASK) <= len(text) - len(left)
    return len(left)


def test_holes_and_whole_texts():
    data = Denoising(TEXTS, 2, MASK, END)

    assert len(data) == 6
    for index, item in enumerate(data):
        text = TEXTS[index % 3]
        assert item['labels'] == [*text, END]
        assert len(item['attention_mask']) == len(item['input_ids'])
        left = fill(item)
        assert left <= len(text)
    assert 0.6 * 200 <= fill(data[0]) <= 0.7 * 200


def test_other_holes_in_each_epoch_and_the_same_in_each_run():
    data, again = (Denoising(TEXTS, 2, MASK, END, seed=3) for _ in range(2))

    assert data[0] == again[0]
    assert data[0]['input_ids'] != data[3]['input_ids']
    assert data[0]['labels'] == data[3]['labels']
    other = Denoising(TEXTS, 2, MASK, END, seed=4)
    assert data[0]['input_ids'] != other[0]['input_ids']


def test_it_ends():
    with pytest.raises(IndexError):
        Denoising(TEXTS, 2, MASK, END)[6]
