"""The loss over the labels that there are."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional


def labelled_loss(out: Tensor, y: Tensor, is_regression: bool) -> Tensor:
    """The squared error or the binary cross entropy over labelled entries, as
    their mean over the joint batch of all processes; zero if there are none.

    Args:
        out: Values or logits of shape ``[num_graphs, num_tasks]``.
        y: Targets of the same number of entries, NaN where there is none.
        is_regression: Whether to take the squared error.
    """
    out, y = out.float(), y.view(out.shape).float()
    labelled = ~y.isnan()
    target = torch.where(labelled, y, torch.zeros_like(y))
    if is_regression:
        loss = functional.mse_loss(out, target, reduction='none')
    else:
        loss = functional.binary_cross_entropy_with_logits(
            out, target, reduction='none'
        )
    count = labelled.sum().to(loss.dtype)
    if dist.is_available() and dist.is_initialized():
        # Gradients are averaged over processes, so each divides by the mean
        # number of labels.
        dist.all_reduce(count)
        count = count / dist.get_world_size()
    return (loss * labelled).sum() / count.clamp(min=1e-12)
