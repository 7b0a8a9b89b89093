"""What each kind of task makes of a network's output."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from gmoe.training.losses import MULTICLASS
from gmoe.training.task import TASK_TYPES, Task

OUT = torch.tensor([[0.5, -1.0], [2.0, 0.0], [0.0, 3.0]])


def test_labels_that_are_missing_do_not_count():
    y = torch.tensor([[1.0, 0.0], [float('nan'), 1.0], [0.0, float('nan')]])
    known = ~y.isnan()
    task = Task('binary classification')
    loss, graphs = task.loss(OUT, y)
    expected = binary_cross_entropy_with_logits(OUT[known], y[known])
    assert torch.allclose(loss, expected)
    assert float(graphs) == 2.0  # Four labels of two tasks.
    entries, is_known = task.entry_loss(OUT, y)
    assert torch.equal(is_known, known)
    assert torch.allclose(entries.sum() / 4, expected)
    assert torch.equal(task.prediction(OUT), OUT.sigmoid())
    assert task.target(OUT, y.flatten()).shape == OUT.shape


def test_categories():
    y = torch.tensor([1, -1, 0])
    task = Task(MULTICLASS, label_smoothing=0.1)
    loss, graphs = task.loss(OUT, y)
    expected = cross_entropy(OUT[[0, 2]], y[[0, 2]], label_smoothing=0.1)
    assert torch.allclose(loss, expected)
    assert float(graphs) == 2
    assert torch.equal(task.prediction(OUT), OUT.softmax(dim=1))
    assert torch.equal(task.target(OUT, y), y)


def test_values():
    task = Task('regression')
    loss, _ = task.loss(OUT, OUT + 2)
    assert float(loss) == pytest.approx(4)
    assert torch.equal(task.prediction(OUT), OUT)


def test_refused():
    with pytest.raises(ValueError, match=r"'task_type' must be one of.*'x'"):
        Task('x')
    for value in (-0.1, 1.0):
        with pytest.raises(ValueError, match="'label_smoothing' must be"):
            Task(TASK_TYPES[0], value)
