"""BERT with a mixture of experts over the pooled text."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gmoe.common.require import require
from gmoe.nn import MLPExperts
from gmoe.routing import Router, Routing, balance_loss
from gmoe.text.bert_moe_config import BertMoeConfig
from gmoe.text.bert_moe_files import register_layout
from gmoe.text.encoder import check_weights
from gmoe.text.head import MoeHead, pool

require('transformers')

from transformers import (  # noqa: E402
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PreTrainedModel,
)
from transformers.loss.loss_utils import (  # noqa: E402
    ForSequenceClassificationLoss,
)
from transformers.utils import ModelOutput  # noqa: E402


@dataclass
class BertMoeOutput(ModelOutput):
    """The output of the model for a batch of texts.

    Attributes:
        loss: The loss of the problem type, with the balance loss times its
            factor in training; :obj:`None` without labels.
        logits: The logits of the categories, of shape :math:`(B, C)`.
        router_weights: The weight of each expert for each text, of shape
            :math:`(B, n)`; rows sum to 1 unless the weights were normalised
            before the selection.
        balance_loss: The balance loss without its factor; :obj:`None`
            without labels.
        hidden_states: The encoder's layers, if asked for.
        attentions: The encoder's attentions, if asked for.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    router_weights: Tensor | None = None
    balance_loss: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


class BertMoeForSequenceClassification(PreTrainedModel):
    """Any BERT-like encoder, pooling, and a mixture of experts per text.

    All of it has one type. The loss is that of transformers' own
    classifiers: squared error for ``problem_type='regression'``, cross entropy
    for ``'single_label_classification'``, binary cross entropy for
    ``'multi_label_classification'``. Where the type of the problem is not
    given, the first labels decide on it: with one label it is regression, with
    integers it is a single label, else several.

    Args:
        config: The settings.
    """

    config_class = BertMoeConfig
    base_model_prefix = 'encoder'
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True

    def __init__(self, config: BertMoeConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.encoder = _without_pooler(
            # That of the head, not the one that the encoder was stored in.
            AutoModel.from_config(
                config.encoder_config, dtype=torch.get_default_dtype()
            )
        )
        self.head = MoeHead(
            config.hidden_size,
            config.num_labels,
            config.num_experts,
            config.experts_per_token,
            config.hidden_channels,
            config.expert_activation,
            config.router,
            config.dropout,
            **config.router_arguments,
        )
        self.post_init()

    @classmethod
    def from_encoder(
        cls,
        encoder: str,
        encoder_arguments: dict[str, Any] | None = None,
        **settings: Any,
    ) -> BertMoeForSequenceClassification:
        """A pretrained encoder with a new head, both of the type that the
        encoder is stored in, or of :obj:`dtype` where it is given.

        Args:
            encoder: The encoder's name, or its local folder; ``~`` is the
                home.
            encoder_arguments: Arguments of ``AutoModel.from_pretrained``.
            **settings: Arguments of :class:`BertMoeConfig`.

        Raises:
            ValueError: If a setting does not exist or is out of range, or a
                part of the encoder's weights is missing.
        """
        arguments: dict[str, Any] = {'use_safetensors': True}
        for name in ('torch_dtype', 'dtype'):
            if settings.get(name) is not None:
                arguments['dtype'] = settings[name]
            settings.pop(name, None)
        pretrained, info = AutoModel.from_pretrained(
            os.path.expanduser(encoder),
            output_loading_info=True,
            **{**arguments, **(encoder_arguments or {})},
        )
        check_weights(encoder, info['missing_keys'])
        dtype = pretrained.dtype
        model = cls(
            BertMoeConfig(encoder_config=pretrained.config, **settings)
        )
        model.encoder = _without_pooler(pretrained)
        model.config.dtype = model.config.encoder_config.dtype = dtype
        return model.to(dtype)

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> nn.Module:
        """Resizes the encoder's embeddings of tokens."""
        embeddings = self.encoder.resize_token_embeddings(*args, **kwargs)
        # The encoder may hold a copy of its configuration.
        self.config.encoder_config.vocab_size = embeddings.num_embeddings
        return embeddings

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
    ) -> BertMoeOutput | tuple:
        """Classifies texts.

        Args:
            input_ids: Token ids of shape :math:`(B, T)`.
            attention_mask: Zero where a token is padding, of shape
                :math:`(B, T)`.
            token_type_ids: Segment ids, for encoders that have them.
            position_ids: Positions, for encoders that have them.
            inputs_embeds: Vectors in place of the tokens' embeddings.
            labels: Categories of shape :math:`(B)`, or values of shape
                :math:`(B, C)` for regression and for several labels; the loss
                is computed where they are given.
            output_hidden_states: Whether to return the encoder's layers.
            output_attentions: Whether to return the encoder's attentions.
            return_dict: Whether to return a :class:`BertMoeOutput` or a
                tuple.
        """
        arguments = {
            'input_ids': input_ids,
            'attention_mask': attention_mask,
            'token_type_ids': token_type_ids,
            'position_ids': position_ids,
            'inputs_embeds': inputs_embeds,
            'output_hidden_states': output_hidden_states,
            'output_attentions': output_attentions,
        }
        # Encoders differ in what they take, and none needs what is not given.
        given = {k: v for k, v in arguments.items() if v is not None}
        encoded = self.encoder(**given, return_dict=True)
        pooled = pool(
            encoded.last_hidden_state, attention_mask, self.config.pooling
        )
        logits, routing = self.head(pooled)
        out = BertMoeOutput(
            logits=logits,
            router_weights=routing.gates,
            hidden_states=encoded.get('hidden_states'),
            attentions=encoded.get('attentions'),
        )
        if labels is not None:
            out.loss, out.balance_loss = self._losses(logits, labels, routing)
        if return_dict is None:
            return_dict = self.config.return_dict
        return out if return_dict else out.to_tuple()

    def _losses(
        self, logits: Tensor, labels: Tensor, routing: Routing
    ) -> tuple[Tensor, Tensor]:
        dtype = torch.promote_types(logits.dtype, torch.float32)
        loss = ForSequenceClassificationLoss(
            labels, logits.to(dtype), self.config
        )
        balance = balance_loss(routing)
        if self.training and self.config.balance_weight > 0:
            loss = loss + self.config.balance_weight * balance
        return loss, balance

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, (Router, MLPExperts)):
            module.reset_parameters()
        elif isinstance(module, nn.Linear):
            std = getattr(
                self.config.encoder_config, 'initializer_range', 0.02
            )
            nn.init.normal_(module.weight, std=std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _without_pooler(encoder: PreTrainedModel) -> PreTrainedModel:
    # Its output is not used: it would never have a gradient.
    if getattr(encoder, 'pooler', None) is not None:
        encoder.pooler = None
    return encoder


register_layout()
AutoConfig.register('bert_moe', BertMoeConfig, exist_ok=True)
AutoModelForSequenceClassification.register(
    BertMoeConfig, BertMoeForSequenceClassification, exist_ok=True
)
