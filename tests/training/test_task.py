"""What each kind of task makes of a network's output."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from gmoe.training.task import MULTICLASS, TASK_TYPES, Task, rows_of

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


@pytest.fixture
def categories():
    """Logits and categories, of which the first three are not known."""
    generator = torch.Generator().manual_seed(0)
    out = torch.randn(9, 5, generator=generator, requires_grad=True)
    y = torch.randint(5, (9,), generator=generator)
    y[:3] = -1
    return out, y


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_unknown_categories_do_not_count(categories, smoothing):
    out, y = categories
    loss, count = Task(MULTICLASS, smoothing).loss(out, y)
    expected = cross_entropy(out[3:], y[3:], label_smoothing=smoothing)
    assert torch.allclose(loss, expected)
    assert count == 6
    (grad,) = torch.autograd.grad(loss, out)
    assert (grad[:3] == 0).all()
    entries, labelled = Task(MULTICLASS, smoothing).entry_loss(out, y)
    assert labelled.view(-1).tolist() == [False] * 3 + [True] * 6
    assert torch.allclose(entries.sum() / 6, expected)


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_known_categories_alone_are_plain_cross_entropy(categories, smoothing):
    out, y = categories
    loss, _ = Task(MULTICLASS, smoothing).loss(out[3:], y[3:])
    expected = cross_entropy(out[3:], y[3:], label_smoothing=smoothing)
    assert torch.equal(loss, expected)


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_no_known_category(categories, smoothing):
    out, y = categories
    loss, count = Task(MULTICLASS, smoothing).loss(out[:3], y[:3])
    (grad,) = torch.autograd.grad(loss, out)
    assert loss == 0
    assert count == 0
    assert (grad == 0).all()


@pytest.mark.parametrize(
    ('dtype', 'expected'),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_losses_are_not_narrower_than_float32(dtype, expected):
    out = torch.randn(4, 3).to(dtype)
    for kind in TASK_TYPES:
        y = torch.ones(4, 3)
        if kind == MULTICLASS:
            y = y[:, 0].long()
        for loss in (Task(kind).loss, Task(kind).entry_loss):
            assert loss(out, y)[0].dtype == expected


@pytest.mark.parametrize('shape', [(3,), (3, 1), (3, 2)])
def test_rows_of_targets(shape):
    """Their shape is that of others, also where there is none."""
    y = torch.zeros(shape)
    columns = y.numel() // 3
    assert rows_of(y, 3).shape == (3, columns)
    assert rows_of(y[:0], 0).shape == (0, columns)
