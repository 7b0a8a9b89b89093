import pytest
import torch

from gmoe.nn.arguments import (
    check_batch,
    check_dtype,
    check_nodes,
    count_1hop,
)


def test_number_of_hop_1_experts():
    assert count_1hop(4, None) == 4
    assert count_1hop(4, 0) == 0
    for wrong in (-1, 5):
        message = f"'num_experts_1hop' must be .*num_experts=4, got {wrong}"
        with pytest.raises(ValueError, match=message):
            count_1hop(4, wrong)
    with pytest.raises(ValueError, match="'num_experts' must be .*, got 0"):
        count_1hop(0, None)


def test_graphs_of_nodes():
    x = torch.zeros(3, 2)
    batch, size = check_batch(None, x, None)
    assert batch.tolist() == [0, 0, 0]
    assert size == 1
    batch, size = check_batch(torch.tensor([0, 0, 2]), x, None)
    assert size == 3
    assert check_batch(batch, x, 5)[1] == 5
    assert check_batch(batch[:0], x[:0], None)[1] == 0
    for wrong in (batch[:2], batch.float(), batch - 1):
        with pytest.raises(ValueError, match="'batch' must .*, got"):
            check_batch(wrong, x, None)


def test_features_of_nodes():
    x = torch.zeros(3, 2)
    assert check_nodes(x) is x
    for wrong, got in ((x[0], r'\[2\]'), ({'a': x}, 'dict'), (None, 'None')):
        message = f"'x' must be .*num_features., got {got}"
        with pytest.raises(ValueError, match=message):
            check_nodes(wrong)
    check_dtype(x, torch.nn.Linear(2, 2))
    with pytest.raises(ValueError, match="'x' must have the type .*, got tor"):
        check_dtype(x.double(), torch.nn.Linear(2, 2))
