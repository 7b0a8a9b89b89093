"""The feed-forward layer of a Switch Transformer, with a router of gmoe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from gmoe import ops
from gmoe.common.distributed import is_distributed
from gmoe.common.require import require
from gmoe.routing import Router, Routing
from gmoe.text.switch.config import SwitchMoeConfig

require('transformers')

from transformers.models.switch_transformers import (  # noqa: E402
    modeling_switch_transformers as switch,
)


class SwitchMoeLayer(nn.Module):
    r"""A mixture of the feed-forward networks of a Switch Transformer
    (`Fedus et al. 2021 <https://arxiv.org/abs/2101.03961>`_, eq. 1-2) for any
    router:

    .. math::
        \mathbf{y}_i = \sum_o G_{io} \, \mathrm{FFN}_o(\mathbf{x}_i)

    The experts are modules with the names that they have there,
    ``experts.expert_0.wi``, and each is called once, with the tokens that are
    routed to it. There is no bound to their number. Tokens that are padding
    are not routed, and their output is zero.

    Args:
        config: The settings.

    Shapes:
        - **input:** hidden states :math:`(B, T, D)`
        - **output:** the same shape
    """

    def __init__(self, config: SwitchMoeConfig) -> None:
        super().__init__()
        self.router = Router(
            config.d_model, config.num_experts, **config.router_arguments
        )
        self.experts = nn.ModuleDict(
            {
                f'expert_{index}': switch.SwitchTransformersDenseActDense(
                    config
                )
                for index in range(config.num_experts)
            }
        )
        self._mask: Tensor | None = None
        self._routings: list[Routing] | None = None

    @contextmanager
    def given(
        self, mask: Tensor | None, routings: list[Routing] | None
    ) -> Iterator[None]:
        """Tells the layer what its caller does not pass on.

        Args:
            mask: Zero where a token is padding, of shape :math:`(B, T)`.
            routings: Where the layer's routing is appended.
        """
        self._mask, self._routings = mask, routings
        try:
            yield
        finally:
            self._mask = self._routings = None

    def forward(self, hidden_states: Tensor) -> Tensor:
        x = hidden_states.reshape(-1, hidden_states.size(-1))
        if self._mask is None:
            return self._mixed(x).view_as(hidden_states)
        rows = self._mask.reshape(-1).nonzero().squeeze(1)
        mixed = self._mixed(ops.gather_rows(x, rows))
        out = mixed.new_zeros(x.shape).index_copy(0, rows, mixed)
        return out.view_as(hidden_states)

    def _mixed(self, x: Tensor) -> Tensor:
        routing = self.router(x)
        if self._routings is not None:
            self._routings.append(routing)
        slots = routing.by_expert
        sizes = slots.ptr.diff().tolist()
        chunks = ops.gather_rows(x, slots.node).split(sizes)
        # Parameters without a gradient would stop distributed training, which
        # waits for all of them: there, all experts run.
        runs_all = self.training and is_distributed()
        h = [
            expert(chunk)
            for expert, chunk in zip(self.experts.values(), chunks)
            if len(chunk) or runs_all
        ]
        return slots.combine(torch.cat(h) if h else x, x.size(0))


class SwitchMoeBlock(switch.SwitchTransformersBlock):
    """A layer of the encoder or the decoder.

    Args:
        config: The settings, with ``is_decoder``.
        layer_idx: The layer's position, counted from 0. The first one has the
            biases of the positions.
        is_moe: Whether its feed-forward network is a mixture.
    """

    def __init__(
        self, config: SwitchMoeConfig, layer_idx: int, is_moe: bool
    ) -> None:
        super().__init__(
            config,
            has_relative_attention_bias=layer_idx == 0,
            is_sparse=False,
            layer_idx=layer_idx,
        )
        self.is_sparse = self.layer[-1].is_sparse = is_moe
        if is_moe:
            self.layer[-1].mlp = SwitchMoeLayer(config)

    def forward(
        self,
        *args: Any,
        token_mask: Tensor | None = None,
        routings: list[Routing] | None = None,
        **kwargs: Any,
    ) -> Any:
        # As arguments, and not in a context around the model: the layer may
        # be computed again in the backward pass, and in several threads.
        feed_forward = self.layer[-1].mlp
        if not isinstance(feed_forward, SwitchMoeLayer):
            return super().forward(*args, **kwargs)
        with feed_forward.given(token_mask, routings):
            return super().forward(*args, **kwargs)
