"""The encoder and the decoder of a Switch Transformer with gmoe's routers."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from gmoe.common.require import require
from gmoe.routing import LinearScore, Router, Routing
from gmoe.text.switch.config import SwitchMoeConfig
from gmoe.text.switch.layer import SwitchMoeBlock

require('transformers')

from transformers import PreTrainedModel  # noqa: E402
from transformers.models.switch_transformers import (  # noqa: E402
    modeling_switch_transformers as switch,
)

#: The spread of fresh scores: with none at all, every token would go to the
#: first experts in evaluation.
SCORE_STD = 0.02


class SwitchMoePart:
    """What the model and its two stacks have in common."""

    config_class = SwitchMoeConfig
    _no_split_modules = ['SwitchMoeBlock']
    # As in the paper (section 2.4): in 16 bits, its scores are too coarse.
    _keep_in_fp32_modules_strict = ['router']

    config: SwitchMoeConfig

    def _initialize_weights(
        self, module: nn.Module, is_custom_code: bool = False
    ) -> None:
        # Of models that are not its own, transformers leaves out all modules
        # that hold their parameters in others: routers, experts, attention.
        super()._initialize_weights(module)  # type: ignore[misc]

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)  # type: ignore[misc]
        if isinstance(module, Router):
            reset_router(module)


class SwitchMoeStack(SwitchMoePart, switch.SwitchTransformersStack):
    """The encoder or the decoder.

    Args:
        config: The settings, with ``is_decoder``.
    """

    _can_record_outputs = {
        name: recorder
        for name, recorder in (
            switch.SwitchTransformersStack._can_record_outputs.items()
        )
        if name != 'router_logits'
    }

    def __init__(self, config: SwitchMoeConfig) -> None:
        # That of the base class would make its own layers first.
        PreTrainedModel.__init__(self, config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.is_decoder = config.is_decoder
        moe_layers = config.encoder_moe_layers or []
        if self.is_decoder:
            config.num_layers = config.num_decoder_layers
            moe_layers = config.decoder_moe_layers or []
        self.block = nn.ModuleList(
            SwitchMoeBlock(config, index, index in moe_layers)
            for index in range(config.num_layers)
        )
        self.final_layer_norm = switch.SwitchTransformersLayerNorm(
            config.d_model, eps=config.layer_norm_epsilon
        )
        self.dropout = nn.Dropout(config.dropout_rate)
        self.gradient_checkpointing = False
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        scored: Tensor | None = None,
        routings: tuple[list[Routing], list[Routing]] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Runs the layers.

        Args:
            input_ids: Token ids of shape :math:`(B, T)`.
            attention_mask: Zero where a token is padding, of shape
                :math:`(B, T)`, or longer by what is cached.
            encoder_hidden_states: For the decoder, the encoder's output.
            encoder_attention_mask: For the decoder, the encoder's mask.
            inputs_embeds: Vectors in place of the tokens' embeddings.
            scored: For the decoder, the positions that a loss depends on.
            routings: Where the routings of an encoder, and of a decoder, are
                appended.
            **kwargs: As of ``SwitchTransformersStack``.
        """
        tokens = input_ids if inputs_embeds is None else inputs_embeds
        mask = None
        if tokens is not None and attention_mask is not None:
            mask = _token_mask(attention_mask, tokens.size(1))
        if scored is not None and self.is_decoder:
            mask = scored if mask is None else scored & mask
        return super().forward(
            input_ids=input_ids,
            attention_mask=attention_mask,
            encoder_hidden_states=encoder_hidden_states,
            encoder_attention_mask=encoder_attention_mask,
            inputs_embeds=inputs_embeds,
            token_mask=mask,
            routings=None if routings is None else routings[self.is_decoder],
            **kwargs,
        )


def reset_router(router: Router) -> None:
    """Draws the parameters of a router anew.

    Args:
        router: The router.
    """
    router.reset_parameters()
    if isinstance(router.score_gate, LinearScore):
        nn.init.normal_(router.score_gate.weight, std=SCORE_STD)


def _token_mask(attention_mask: Tensor, length: int) -> Tensor | None:
    """Which of the last tokens are none of padding; unknown of masks of
    another form.
    """
    if attention_mask.dim() != 2 or attention_mask.size(1) < length:
        return None
    return attention_mask[:, -length:] != 0
