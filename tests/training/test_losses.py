import pytest
import torch
from torch.nn import functional

from gmoe.training.losses import (
    category_entry_loss,
    category_loss,
    entry_loss,
    labelled_loss,
)


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
    loss, count = category_loss(out, y, smoothing)
    expected = functional.cross_entropy(
        out[3:], y[3:], label_smoothing=smoothing
    )
    assert torch.allclose(loss, expected)
    assert count == 6
    (grad,) = torch.autograd.grad(loss, out)
    assert (grad[:3] == 0).all()
    entries, labelled = category_entry_loss(out, y, smoothing)
    assert labelled.view(-1).tolist() == [False] * 3 + [True] * 6
    assert torch.allclose(entries.sum() / 6, expected)


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_known_categories_alone_are_plain_cross_entropy(categories, smoothing):
    out, y = categories
    loss, _ = category_loss(out[3:], y[3:], smoothing)
    expected = functional.cross_entropy(
        out[3:], y[3:], label_smoothing=smoothing
    )
    assert torch.equal(loss, expected)


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_no_known_category(categories, smoothing):
    out, y = categories
    loss, count = category_loss(out[:3], y[:3], smoothing)
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
    y = torch.ones(4, 3)
    for loss in (
        labelled_loss(out, y, True)[0],
        entry_loss(out, y, False)[0],
        category_loss(out, y[:, 0].long())[0],
        category_entry_loss(out, y[:, 0].long())[0],
    ):
        assert loss.dtype == expected
