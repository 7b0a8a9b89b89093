"""What is chosen, and what is said of a row."""

import pytest
import torch

from benchmarks.speed.rows import chosen, line, molecules


def test_chosen():
    assert chosen(None, ('a', 'b')) == ['a', 'b']
    assert chosen('b', ('a', 'b')) == chosen(['b'], ('a', 'b')) == ['b']
    with pytest.raises(SystemExit, match=r"hold some of \['a'\], got 'c'"):
        chosen(['a', 'c'], ('a',))


def test_batches_are_the_same_each_time(data_root):
    root = str(data_root / 'ogb')
    batches = molecules(root, None, [3, 2], 'cpu')
    assert [batch.num_graphs for batch in batches.values()] == [3, 2]
    again = molecules(root, None, 2, 'cpu')[2]
    assert torch.equal(batches[2].x, again.x)
    assert torch.equal(batches[3][1].x, again[1].x)


def test_line():
    row = {'name': 'a', 'batch': 4, 'b_ms': 1.5, 'c_mb': 2, 'd_ms_all': [1]}
    assert line(row) == 'a x 4: b_ms 1.5, c_mb 2'
