"""A classifier on pooled texts: pooling, router, experts, linear map."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gmoe.common.arguments import check_choice
from gmoe.nn import MLPExperts
from gmoe.routing import Router, Routing

#: How the vectors of a text's tokens become one.
POOLINGS = ('cls', 'mean', 'max')


def pool(hidden: Tensor, mask: Tensor | None, how: str = 'mean') -> Tensor:
    """Pools the tokens of each text; tokens that are padding do not count,
    on whichever side they stand. The mean and the maximum of a text without
    tokens is zero.

    Args:
        hidden: The tokens' vectors, of shape :math:`(B, T, D)`.
        mask: Zero where a token is padding, of shape :math:`(B, T)`;
            :obj:`None` where none is.
        how: :obj:`"cls"` (the first token that is no padding),
            :obj:`"mean"` or :obj:`"max"`.

    Returns:
        Vectors of shape :math:`(B, D)`.

    Raises:
        ValueError: If the pooling is unknown.
    """
    check_choice('how', how, POOLINGS)
    if how == 'cls':
        if mask is None:
            return hidden[:, 0]
        first = mask.bool().int().argmax(dim=1)
        return hidden[torch.arange(len(hidden), device=hidden.device), first]
    if mask is None:
        return hidden.mean(dim=1) if how == 'mean' else hidden.amax(dim=1)
    keep = mask.unsqueeze(-1).bool()
    if how == 'max':
        lowest = torch.finfo(hidden.dtype).min
        most = hidden.masked_fill(~keep, lowest).amax(dim=1)
        return most.masked_fill(~keep.any(dim=1), 0)
    total = hidden.masked_fill(~keep, 0).sum(dim=1)
    return total / keep.sum(dim=1).clamp(min=1)


class MoeHead(nn.Module):
    """A mixture of experts and a linear classifier on the weighted sum of
    their outputs.

    Args:
        in_channels: Size of the pooled vectors.
        num_labels: Number of categories.
        num_experts: Number of experts.
        top_k: Number of experts per text, for the presets that have one.
        hidden_channels: Size of the experts' hidden and output vectors.
        activation: A key of :data:`gmoe.nn.experts.mlp.ACTIVATIONS`.
        router: A key of :data:`gmoe.routing.ROUTER_PRESETS`.
        dropout: Dropout before the experts and before the classifier.
        **kwargs: Arguments of :class:`~gmoe.routing.Router` that take the
            place of the preset's.

    Shapes:
        - **input:** pooled vectors :math:`(B, D)`
        - **output:** logits :math:`(B, C)` and the
          :class:`~gmoe.routing.Routing`
    """

    def __init__(
        self,
        in_channels: int,
        num_labels: int,
        num_experts: int = 4,
        top_k: int | None = 2,
        hidden_channels: int = 256,
        activation: str = 'relu',
        router: str = 'linear_softmax_topk',
        dropout: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.router = Router.from_preset(
            router, in_channels, num_experts, top_k, **kwargs
        )
        self.experts = MLPExperts(
            in_channels,
            hidden_channels,
            hidden_channels,
            num_experts,
            activation,
        )
        self.classifier = nn.Linear(hidden_channels, num_labels)

    def forward(self, pooled: Tensor) -> tuple[Tensor, Routing]:
        pooled = self.dropout(pooled)
        routing = self.router(pooled)
        mixed = self.experts(pooled, routing)
        return self.classifier(self.dropout(mixed)), routing
