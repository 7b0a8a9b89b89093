"""A classifier on pooled texts: router, experts, linear map."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from gmoe.nn import MLPExperts
from gmoe.routing import Router, Routing


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
