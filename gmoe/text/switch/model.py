"""Switch Transformers with a router of gmoe, as a model of transformers."""

from __future__ import annotations

import copy
import functools
import inspect
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gmoe.common.arguments import check_number
from gmoe.common.require import require
from gmoe.routing import LinearScore, Router, Routing
from gmoe.text.switch.balance import balance_of_layers, z_loss_of_layers
from gmoe.text.switch.config import SwitchMoeConfig
from gmoe.text.switch.convert import (
    check_keep_scores,
    switch_config,
    switch_weights,
    t5_config,
    t5_weights,
)
from gmoe.text.switch.layer import SwitchMoeBlock
from gmoe.text.switch.source import load_source

require('transformers')

from transformers import (  # noqa: E402
    AutoConfig,
    AutoModelForSeq2SeqLM,
    PreTrainedModel,
    SwitchTransformersForConditionalGeneration,
    T5ForConditionalGeneration,
)
from transformers.models.switch_transformers import (  # noqa: E402
    modeling_switch_transformers as switch,
)

#: The label of what has none.
IGNORED = -100

#: The names of the model's arguments by their position.
_ARGUMENTS = [
    name
    for name in inspect.signature(
        SwitchTransformersForConditionalGeneration.forward
    ).parameters
    if name not in ('self', 'kwargs')
]

#: The spread of fresh scores: with none at all, every token would go to the
#: first experts in evaluation.
SCORE_STD = 0.02


class _SwitchMoe:
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


class SwitchMoeStack(_SwitchMoe, switch.SwitchTransformersStack):
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


class SwitchMoeForConditionalGeneration(
    _SwitchMoe, SwitchTransformersForConditionalGeneration
):
    """A Switch Transformer, encoder and decoder, in which any router of gmoe
    chooses the experts.

    Padding is not routed: in the encoder, what ``attention_mask`` leaves out;
    in the decoder, what ``decoder_attention_mask`` leaves out, and with
    labels what follows the last of them, on which no loss depends.

    Of a dropped or jittered input of the router there is none: its noise is
    :class:`~gmoe.routing.Router`'s.

    Args:
        config: The settings.
    """

    # The loss is the mean over a batch: the Trainer divides it among
    # accumulated batches itself.
    accepts_loss_kwargs = False

    def __init__(self, config: SwitchMoeConfig) -> None:
        # That of the base class would make its own stacks first.
        PreTrainedModel.__init__(self, config)
        self.model_dim = config.d_model
        self.shared = nn.Embedding(config.vocab_size, config.d_model)
        stacks = {}
        for is_decoder in (False, True):
            settings = copy.deepcopy(config)
            settings.is_decoder = is_decoder
            settings.use_cache = is_decoder and config.use_cache
            stacks[is_decoder] = SwitchMoeStack(settings)
        self.encoder, self.decoder = stacks[False], stacks[True]
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.post_init()

    # With its arguments: the Trainer drops the columns that have no name here.
    @functools.wraps(SwitchTransformersForConditionalGeneration.forward)
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        kwargs = {**dict(zip(_ARGUMENTS, args)), **kwargs}
        if kwargs.get('output_router_logits'):
            raise ValueError(
                "'output_router_logits' must be False, got True: the "
                'routings are collected with gmoe.routing.collect_routing'
            )
        return_dict = kwargs.pop('return_dict', None)
        if return_dict is None:
            return_dict = self.config.return_dict
        labels = kwargs.get('labels')
        if labels is not None:
            routings: tuple[list[Routing], list[Routing]] = ([], [])
            kwargs.update(routings=routings, scored=_scored(labels))
        out = super().forward(**kwargs, return_dict=True)
        if labels is not None:
            self._add_losses(out, *routings)
        return out if return_dict else out.to_tuple()

    @classmethod
    def from_switch(
        cls,
        source: str | Path | PreTrainedModel,
        router: str = 'linear_softmax_topk',
        experts_per_token: int | None = None,
        keep_scores: bool | None = None,
        **settings: Any,
    ) -> SwitchMoeForConditionalGeneration:
        """A Switch Transformer with another router, in evaluation mode. Its
        experts, and all else, keep their weights.

        Args:
            source: A ``SwitchTransformersForConditionalGeneration``, which is
                copied, or the name of one on the hub, or its local folder
                (``config.json`` and weights in safetensors); ``~`` is the
                home.
            router: As of :class:`~gmoe.text.SwitchMoeConfig`.
            experts_per_token: As of :class:`~gmoe.text.SwitchMoeConfig`.
            keep_scores: Whether the linear scores of the pretrained router
                are kept; attention cannot keep them. (default: where the
                router is linear)
            **settings: Further arguments of
                :class:`~gmoe.text.SwitchMoeConfig`.

        Raises:
            ValueError: If it is no Switch Transformer, a part of its weights
                is missing or in a pickle, its scores cannot be kept, or a
                setting does not exist or is out of range.
        """
        pretrained = load_source(
            source, SwitchTransformersForConditionalGeneration
        )
        config = switch_config(
            pretrained,
            router=router,
            experts_per_token=experts_per_token,
            **settings,
        )
        keep = check_keep_scores(pretrained, config, keep_scores)
        return cls._of(config, pretrained, switch_weights(pretrained, keep))

    @classmethod
    def upcycle(
        cls,
        source: str | Path | PreTrainedModel,
        num_experts: int = 8,
        router: str = 'linear_softmax_topk',
        experts_per_token: int | None = None,
        step: int = 2,
        noise: float = 0.01,
        **settings: Any,
    ) -> SwitchMoeForConditionalGeneration:
        """A dense T5 as a mixture, in evaluation mode (`Komatsuzaki et al.
        2022 <https://arxiv.org/abs/2212.05055>`_): each expert begins as a
        copy of the feed-forward network that it takes the place of.

        Without noise, and with a router whose weights sum to 1, the outputs
        are those of the T5.

        Args:
            source: A ``T5ForConditionalGeneration`` whose feed-forward
                networks have no gate, or the name of one on the hub, or its
                local folder; ``~`` is the home.
            num_experts: Number of experts of a layer.
            router: As of :class:`~gmoe.text.SwitchMoeConfig`.
            experts_per_token: As of :class:`~gmoe.text.SwitchMoeConfig`.
            step: Every how many layers there is a mixture; which layers
                exactly, :obj:`encoder_moe_layers` and
                :obj:`decoder_moe_layers` say in its place.
            noise: The standard deviation of what is added to each expert's
                weights, over that of the weights.
            **settings: Further arguments of
                :class:`~gmoe.text.SwitchMoeConfig`.

        Raises:
            ValueError: If it is no such T5, a part of its weights is missing
                or in a pickle, or a setting does not exist or is out of
                range.
        """
        check_number(noise=noise)
        pretrained = load_source(source, T5ForConditionalGeneration)
        config = t5_config(
            pretrained,
            step,
            num_experts=num_experts,
            router=router,
            experts_per_token=experts_per_token,
            **settings,
        )
        return cls._of(
            config, pretrained, t5_weights(pretrained, config, noise)
        )

    @classmethod
    def _of(
        cls,
        config: SwitchMoeConfig,
        source: PreTrainedModel,
        weights: dict[str, Tensor],
    ) -> SwitchMoeForConditionalGeneration:
        with torch.device('meta'):
            model = cls(config)
        model.load_state_dict(weights, strict=False, assign=True)
        model.tie_weights()
        for name, module in model.named_modules():
            # What is missing are scores that could not be kept.
            if isinstance(module, Router):
                kept = f'{name}.score_gate.weight' in weights
                _make_router(module, source, kept)
        model.generation_config = copy.deepcopy(source.generation_config)
        model.config.dtype = source.dtype
        return model.eval()

    def _add_losses(
        self, out: Any, encoder: list[Routing], decoder: list[Routing]
    ) -> None:
        config, routings = self.config, [*encoder, *decoder]
        self._check_gradient(routings)
        for name, losses, weight in (
            (
                'aux_loss',
                balance_of_layers(routings, config.balance),
                config.balance_weight,
            ),
            ('z_loss', z_loss_of_layers(routings), config.z_loss_weight),
        ):
            if losses is None:
                continue
            parts = losses.split([len(encoder), len(decoder)])
            for stack, part in zip(('encoder', 'decoder'), parts):
                if len(part):
                    setattr(out, f'{stack}_{name}', part.mean())
            if self.training and weight > 0:
                out.loss = out.loss + weight * losses.mean()

    def _check_gradient(self, routings: list[Routing]) -> None:
        # Reentrant checkpointing runs the layers without autograd: what they
        # give away beside their output is cut off from it.
        if not (self.training and self.encoder.gradient_checkpointing):
            return
        cut = not any(
            routing.weight.requires_grad or routing.logits.requires_grad
            for routing in routings
            if routing.logits is not None
        )
        learns = any(
            parameter.requires_grad
            for module in self.modules()
            if isinstance(module, Router)
            for parameter in module.parameters()
        )
        if routings and torch.is_grad_enabled() and learns and cut:
            raise ValueError(
                "'use_reentrant' must be False in the arguments of gradient "
                'checkpointing, got True: the balance losses would have no '
                'gradient'
            )


def _make_router(router: Router, source: PreTrainedModel, kept: bool) -> None:
    """Gives a router without memory its own, in float32 or wider."""
    gate = router.score_gate.weight.detach().clone() if kept else None
    router.to_empty(device=source.device)
    router.to(torch.promote_types(source.dtype, torch.float32))
    reset_router(router)
    if gate is not None:
        with torch.no_grad():
            router.score_gate.weight.copy_(gate)


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


def _scored(labels: Tensor) -> Tensor:
    """The positions up to the last label: those before it may be none
    themselves, and are seen by it.
    """
    is_label = (labels != IGNORED).flip(1)
    return is_label.cumsum(1).flip(1) > 0


AutoConfig.register('switch_moe', SwitchMoeConfig, exist_ok=True)
AutoModelForSeq2SeqLM.register(
    SwitchMoeConfig, SwitchMoeForConditionalGeneration, exist_ok=True
)
