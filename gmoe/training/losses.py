"""The losses over the labels that there are."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional

from gmoe.common.distributed import is_distributed

#: The type of a task with one of several categories for each graph.
MULTICLASS = 'multiclass classification'
#: The category of a graph whose category is not known.
UNKNOWN = -1


def entry_loss(
    out: Tensor, y: Tensor, is_regression: bool
) -> tuple[Tensor, Tensor]:
    """The squared error or the binary cross entropy of each entry.

    Args:
        out: Values or logits of shape ``[num_graphs, num_tasks]``.
        y: Targets of the same number of entries, NaN where there is none.
        is_regression: Whether to take the squared error.

    Returns:
        The losses, zero where there is no label, and where there is one; both
        of shape ``[num_graphs, num_tasks]``.
    """
    out = _at_least_float32(out)
    y = y.view(out.shape).to(out.dtype)
    labelled = ~y.isnan()
    target = torch.where(labelled, y, torch.zeros_like(y))
    if is_regression:
        loss = functional.mse_loss(out, target, reduction='none')
    else:
        loss = functional.binary_cross_entropy_with_logits(
            out, target, reduction='none'
        )
    return loss * labelled, labelled


def category_entry_loss(
    out: Tensor, y: Tensor, label_smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The cross entropy of each graph.

    Args:
        out: Logits of shape ``[num_graphs, num_categories]``.
        y: Categories of shape ``[num_graphs]``, -1 where it is not known.
        label_smoothing: The share of the label that is spread over all
            categories.

    Returns:
        The losses, zero where the category is not known, and where it is;
        both of shape ``[num_graphs, 1]``.
    """
    loss = functional.cross_entropy(
        _at_least_float32(out),
        y,
        ignore_index=UNKNOWN,
        reduction='none',
        label_smoothing=label_smoothing,
    )
    return loss.unsqueeze(1), (y != UNKNOWN).unsqueeze(1)


def labelled_loss(
    out: Tensor, y: Tensor, is_regression: bool
) -> tuple[Tensor, Tensor]:
    """The squared error or the binary cross entropy over labelled entries, as
    their mean over the joint batch of all processes; zero if there are none.

    Args:
        out: Values or logits of shape ``[num_graphs, num_tasks]``.
        y: Targets of the same number of entries, NaN where there is none.
        is_regression: Whether to take the squared error.

    Returns:
        The loss, and the mean number of labels of a process.
    """
    loss, labelled = entry_loss(out, y, is_regression)
    count = _per_process(labelled.sum().to(loss.dtype))
    return loss.sum() / count.clamp(min=1e-12), count


def category_loss(
    out: Tensor, y: Tensor, label_smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The cross entropy over the graphs whose category is known, as their
    mean over the joint batch of all processes; zero if there are none.

    Args:
        out: Logits of shape ``[num_graphs, num_categories]``.
        y: Categories of shape ``[num_graphs]``, -1 where it is not known.
        label_smoothing: The share of the label that is spread over all
            categories.

    Returns:
        The loss, and the mean number of known categories of a process.
    """
    out = _at_least_float32(out)
    loss = functional.cross_entropy(
        out, y, ignore_index=UNKNOWN, label_smoothing=label_smoothing
    )
    count = (y != UNKNOWN).sum().to(out.dtype)
    joint = _per_process(count)
    # The mean over no graph is NaN, with gradients of zero.
    loss = torch.where(count > 0, loss, 0.0) * (count / joint.clamp(min=1e-12))
    return loss, joint


def _at_least_float32(out: Tensor) -> Tensor:
    return out.to(torch.promote_types(out.dtype, torch.float32))


def _per_process(count: Tensor) -> Tensor:
    if is_distributed():
        # Gradients are averaged over processes, so each divides by the mean
        # number of labels.
        count = count.clone()
        dist.all_reduce(count)
        count = count / dist.get_world_size()
    return count
