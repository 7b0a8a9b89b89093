"""Switch Transformers with a router of gmoe, as a model of transformers."""

from __future__ import annotations

import copy
import functools
import inspect
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from gmoe.common.noise import check_noise
from gmoe.common.require import require
from gmoe.common.shown import shown
from gmoe.routing import Routing
from gmoe.text.switch.assemble import assemble
from gmoe.text.switch.balance import (
    balance_of_layers,
    check_gradient,
    z_loss_of_layers,
)
from gmoe.text.switch.config import SwitchMoeConfig
from gmoe.text.switch.convert import (
    check_keep_scores,
    switch_config,
    switch_weights,
    t5_config,
    t5_weights,
)
from gmoe.text.switch.source import load_source
from gmoe.text.switch.stack import SwitchMoePart, SwitchMoeStack

require('transformers')

from transformers import (  # noqa: E402
    AutoConfig,
    AutoModelForSeq2SeqLM,
    PreTrainedModel,
    SwitchTransformersForConditionalGeneration,
    T5ForConditionalGeneration,
)
from transformers.modeling_outputs import MoEModelOutput  # noqa: E402

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


class SwitchMoeForConditionalGeneration(
    SwitchMoePart, SwitchTransformersForConditionalGeneration
):
    """A Switch Transformer, encoder and decoder, in which any router of gmoe
    chooses the experts.

    Padding is not routed: in the encoder, what ``attention_mask`` leaves out;
    in the decoder, what ``decoder_attention_mask`` leaves out, and with
    labels what follows the last of them, on which no loss depends. Scores of
    words at positions that are not routed mean nothing.

    In training, the loss holds the balance losses of the settings. Where
    something else than the model computes it, as the Trainer does for label
    smoothing, they are left out. The router's noise is that of
    :class:`~gmoe.routing.Router`; its input is not jittered.

    :func:`gmoe.routing.collect_routing` names the layers, such as
    ``encoder.block.1.layer.1.mlp.router``. With gradient checkpointing it must
    be closed before the backward pass, which runs the layers again.

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
    @functools.wraps(
        SwitchTransformersForConditionalGeneration.forward, assigned=()
    )
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Reads texts and scores the words of others; with labels, the output
        has a loss, and the balance losses of encoder and decoder without
        their factors.

        Args:
            *args: As of ``SwitchTransformersForConditionalGeneration``.
            **kwargs: Likewise.

        Raises:
            ValueError: For ``output_router_logits``, labels of another shape,
                and in training with reentrant checkpointing.
        """
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
        _complete(kwargs)
        if labels is not None:
            _check_labels(labels)
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
        weights = switch_weights(pretrained, keep)
        is_shared = pretrained is source
        return assemble(cls, config, pretrained, weights, is_shared)

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
                weights, over that of the weights; 1 at most.
            **settings: Further arguments of
                :class:`~gmoe.text.SwitchMoeConfig`.

        Raises:
            ValueError: If it is no such T5, a part of its weights is missing
                or in a pickle, or a setting does not exist or is out of
                range.
        """
        check_noise(noise)
        pretrained = load_source(source, T5ForConditionalGeneration)
        config = t5_config(
            pretrained,
            step,
            num_experts=num_experts,
            router=router,
            experts_per_token=experts_per_token,
            **settings,
        )
        weights = t5_weights(pretrained, config, noise)
        is_shared = pretrained is source
        return assemble(cls, config, pretrained, weights, is_shared)

    def _add_losses(
        self, out: Any, encoder: list[Routing], decoder: list[Routing]
    ) -> None:
        config, routings = self.config, [*encoder, *decoder]
        if self.training and self.encoder.gradient_checkpointing:
            check_gradient(self, routings)
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


def _complete(arguments: dict[str, Any]) -> None:
    # That of another encoder, or a tuple, lacks fields that are read.
    found = arguments.get('encoder_outputs')
    if found is not None and not isinstance(found, MoEModelOutput):
        arguments['encoder_outputs'] = MoEModelOutput(
            last_hidden_state=found[0],
            hidden_states=getattr(found, 'hidden_states', None),
            attentions=getattr(found, 'attentions', None),
        )


def _check_labels(labels: Any) -> None:
    if isinstance(labels, Tensor) and labels.dim() == 2:
        return
    found = (
        f'one of {list(labels.shape)}'
        if isinstance(labels, Tensor)
        else (shown(labels))
    )
    raise ValueError(f"'labels' must be a tensor of shape (B, T), got {found}")


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
