"""Normalisation of routed rows, one set of statistics per expert."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from gmoe import ops
from gmoe.common.arguments import check_choice
from gmoe.routing import ExpertSlots


class ExpertNorm(nn.Module):
    r"""Batch or layer normalisation with separate parameters for each expert.

    Batch statistics of an expert are those of the rows routed to it. An
    expert that got fewer than two rows has no variance: its rows are
    normalised with the running statistics, which stay as they are. With one
    expert, it is :class:`torch.nn.BatchNorm1d`.

    Args:
        num_experts: Number of experts :math:`n`.
        channels: Size of each row :math:`D`.
        kind: :obj:`"batch_norm"` or :obj:`"layer_norm"`.
        eps: Added to the variance.
        momentum: The share of the new statistics in the running ones.

    Shapes:
        - **input:** rows ordered by expert :math:`(S, D)`, expert pointer
          :math:`(n + 1)`
        - **output:** rows :math:`(S, D)`

    Raises:
        ValueError: If :obj:`kind` is unknown.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        num_experts: int,
        channels: int,
        kind: str = 'batch_norm',
        eps: float = 1e-5,
        momentum: float = 0.1,
    ) -> None:
        super().__init__()
        check_choice('kind', kind, NORMS)
        self.num_experts = num_experts
        self.channels = channels
        self.kind = kind
        self.eps = eps
        self.momentum = momentum
        shape = (num_experts, channels)
        self.weight = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(shape))
        if kind == 'batch_norm':
            self.register_buffer('running_mean', torch.zeros(shape))
            self.register_buffer('running_var', torch.ones(shape))

    def reset_parameters(self) -> None:
        """Resets the affine parameters and the running statistics."""
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)
        if self.kind == 'batch_norm':
            self.running_mean.zero_()
            self.running_var.fill_(1)

    def forward(self, h: Tensor, ptr: Tensor, relu: bool = False) -> Tensor:
        """Normalises each expert's rows, and applies the ReLU if
        :obj:`relu`.
        """
        if self.kind == 'layer_norm':
            h = functional.layer_norm(h, (self.channels,), eps=self.eps)
            expert = ops.group_of(ptr, h.size(0))
            scale = ops.gather_rows(self.weight, expert)
            h = h * scale + ops.gather_rows(self.bias, expert)
            return h.relu() if relu else h
        h, mean, var = ops.expert_norm(
            h,
            self.weight,
            self.bias,
            self.running_mean,
            self.running_var,
            ptr,
            self.training,
            self.eps,
            relu,
        )
        self.update(mean, var, ptr)
        return h

    def combine(self, h: Tensor, slots: ExpertSlots, num_nodes: int) -> Tensor:
        """The weighted sum of each node's normalised rows.

        Args:
            h: The output of each slot.
            slots: The slots.
            num_nodes: Number of nodes.
        """
        if self.kind == 'layer_norm':
            return slots.combine(self(h, slots.ptr), num_nodes)
        out, mean, var = ops.norm_combine(
            h,
            slots.weight,
            self.weight,
            self.bias,
            self.running_mean,
            self.running_var,
            slots.node,
            slots.expert,
            num_nodes,
            self.training,
            self.eps,
            slots.order,
            slots.slots_per_node,
        )
        self.update(mean, var, slots.ptr)
        return out

    @torch.no_grad()
    def update(self, mean: Tensor, var: Tensor, ptr: Tensor) -> None:
        """Moves the running statistics towards a batch's, in training.

        Args:
            mean: The means of shape :math:`(n, D)`.
            var: The biased variances of shape :math:`(n, D)`.
            ptr: Expert pointer, int64 of shape :math:`(n + 1)`.
        """
        if not self.training:
            return
        rows = ptr.diff().unsqueeze(-1).to(var.dtype)
        share = self.momentum * (rows > 1).to(var.dtype)
        unbiased = var * (rows / (rows - 1).clamp(min=1))
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(unbiased, share)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.num_experts}, {self.channels}, '
            f'kind={self.kind!r})'
        )


class BatchNorm(nn.BatchNorm1d):
    """:class:`torch.nn.BatchNorm1d` that also takes a single row in training:
    one row has no variance, so it is normalised with the running statistics,
    which stay as they are.
    """

    running_mean: Tensor
    running_var: Tensor

    def forward(self, input: Tensor) -> Tensor:
        if self.training and input.size(0) > 1:
            return super().forward(input)
        return functional.batch_norm(
            input,
            self.running_mean.clone(),
            self.running_var.clone(),
            self.weight,
            self.bias,
            eps=self.eps,
        )


#: The plain normalisations by name.
NORMS: dict[str, type[nn.Module]] = {
    'batch_norm': BatchNorm,
    'layer_norm': nn.LayerNorm,
}
