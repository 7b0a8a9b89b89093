"""Pretrained encoders with two heads, fine-tuned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gmoe.common.require import require
from gmoe.text.bert_moe import BertMoeForSequenceClassification
from gmoe.text.bert_moe_config import BertMoeConfig
from gmoe.text.encoder import check_weights
from gmoe.text.fine_tuned_classifier import FineTunedClassifier
from gmoe.text.fine_tuning import FineTuning
from gmoe.text.old_names import with_new_names

require('transformers')

from transformers import (  # noqa: E402
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
    TrainerCallback,
)

__all__ = ['BertClassifier', 'BertMoeClassifier', 'FineTuning']

#: What the categories decide on, and the type that weights are trained in.
_OWN = (
    'num_labels',
    'id2label',
    'label2id',
    'problem_type',
    'encoder_config',
    'dtype',
    'torch_dtype',
)


class BertClassifier(FineTunedClassifier):
    """The usual head of the encoder's class: pooler, dropout, linear map.

    Args:
        encoder: The encoder's name or its local folder; :obj:`"offline"` is
            the one of the extra ``offline``.
        training: How it is trained.
        seed: The seed of everything random.
        callbacks: Callbacks of transformers' Trainer.
    """

    def make_model(self, encoder: str, **labels: Any) -> PreTrainedModel:
        model, info = AutoModelForSequenceClassification.from_pretrained(
            encoder,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            **labels,
        )
        prefix = f'{model.base_model_prefix}.'
        check_weights(encoder, info['missing_keys'], prefix)
        return model


class BertMoeClassifier(FineTunedClassifier):
    """A mixture of experts on the pooled text.

    Args:
        encoder: The encoder's name or its local folder; :obj:`"offline"` is
            the one of the extra ``offline``.
        training: How it is trained.
        seed: The seed of everything random.
        callbacks: Callbacks of transformers' Trainer.
        **settings: Arguments of :class:`~gmoe.text.BertMoeConfig`, except
            those that the categories decide on.

    Raises:
        ValueError: If a setting does not exist or is out of range.
    """

    def __init__(
        self,
        encoder: str | Path = 'bert-base-uncased',
        training: FineTuning | None = None,
        seed: int = 0,
        callbacks: Sequence[TrainerCallback] = (),
        **settings: Any,
    ) -> None:
        for name in _OWN:
            if name in settings:
                raise ValueError(
                    "'settings' must not hold what the classifier decides "
                    f'on itself, got {name!r}'
                )
        settings = with_new_names(settings)
        BertMoeConfig(**settings)
        super().__init__(encoder, training, seed, callbacks)
        self.settings = settings

    def make_model(self, encoder: str, **labels: Any) -> PreTrainedModel:
        return BertMoeForSequenceClassification.from_encoder(
            encoder, dtype=torch.float32, **self.settings, **labels
        )

    def router_weights(self, texts: Sequence[str]) -> np.ndarray:
        """The weight of each expert for each text, of shape :math:`(N, n)`.

        Args:
            texts: The texts; there may be none.

        Raises:
            RuntimeError: If the classifier is not trained.
            ValueError: If what is given is no text.
        """
        texts = self._readable(texts)
        if not texts:
            return np.zeros((0, self.model.config.num_experts))
        return self._outputs(texts, ['balance_loss'])[1]

    def _is_own(self, config: PretrainedConfig) -> bool:
        return isinstance(config, BertMoeConfig)
