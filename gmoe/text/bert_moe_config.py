"""The settings of a BERT with a mixture of experts."""

from __future__ import annotations

from typing import Any

from gmoe._require import require
from gmoe.routing import ROUTER_PRESETS
from gmoe.text.experts import ACTIVATIONS
from gmoe.text.pooling import POOLINGS

require('transformers')

from transformers import (  # noqa: E402
    AutoConfig,
    BertConfig,
    PretrainedConfig,
)


class BertMoeConfig(PretrainedConfig):
    """The settings of
    :class:`~gmoe.text.bert_moe.BertMoeForSequenceClassification`.

    Args:
        encoder_config: The configuration of any BERT-like encoder, or the
            same as a dictionary. (default: BERT-base)
        num_experts: Number of experts.
        experts_per_text: Number of experts that the router selects; the
            presets without ``topk`` have no such number. (default: 2 for the
            others)
        expert_hidden: Size of the experts' hidden and output vectors.
        expert_activation: A key of :data:`gmoe.text.experts.ACTIVATIONS`.
        router: A key of :data:`gmoe.routing.ROUTER_PRESETS`.
        router_noise: Whether noise is added to the scores in training.
            (default: the preset's)
        topk_first: Whether weights are normalised over the selected experts
            only. (default: :class:`gmoe.routing.Router`'s)
        pooling: :obj:`"cls"`, :obj:`"mean"` or :obj:`"max"`.
        dropout: Dropout before the experts and before the classifier.
        balance_loss_weight: Factor of :func:`gmoe.routing.balance_loss`,
            which is added to the cross entropy in training.
        **kwargs: Arguments of :class:`transformers.PretrainedConfig`, such
            as :obj:`num_labels` and :obj:`id2label`.

    Raises:
        ValueError: If a setting is out of range.
    """

    model_type = 'bert_moe'
    sub_configs = {'encoder_config': AutoConfig}
    keys_to_ignore_at_inference = [
        'router_weights',
        'balance_loss',
        'hidden_states',
        'attentions',
    ]

    def __init__(
        self,
        encoder_config: PretrainedConfig | dict[str, Any] | None = None,
        num_experts: int = 4,
        experts_per_text: int | None = None,
        expert_hidden: int = 256,
        expert_activation: str = 'relu',
        router: str = 'linear_softmax_topk',
        router_noise: bool | None = None,
        topk_first: bool | None = None,
        pooling: str = 'mean',
        dropout: float = 0.1,
        balance_loss_weight: float = 0.0,
        **kwargs: Any,
    ) -> None:
        for name, value, known in (
            ('router', router, sorted(ROUTER_PRESETS)),
            ('pooling', pooling, POOLINGS),
            ('expert_activation', expert_activation, sorted(ACTIVATIONS)),
        ):
            if value not in known:
                raise ValueError(
                    f"'{name}' must be one of {list(known)}, got {value!r}"
                )
        for name, size in (
            ('num_experts', num_experts),
            ('expert_hidden', expert_hidden),
        ):
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise ValueError(
                    f"'{name}' must be an integer >= 1, got {size!r}"
                )
        if not 0 <= dropout < 1:
            raise ValueError(f"'dropout' must be in [0, 1), got {dropout!r}")
        if not balance_loss_weight >= 0:
            raise ValueError(
                "'balance_loss_weight' must be a number >= 0, got "
                f'{balance_loss_weight!r}'
            )
        if experts_per_text is None and router.endswith('topk'):
            experts_per_text = min(2, num_experts)
        self.encoder_config = _encoder_config(encoder_config)
        self.num_experts = num_experts
        self.experts_per_text = experts_per_text
        self.expert_hidden = expert_hidden
        self.expert_activation = expert_activation
        self.router = router
        self.router_noise = router_noise
        self.topk_first = topk_first
        self.pooling = pooling
        self.dropout = dropout
        self.balance_loss_weight = balance_loss_weight
        super().__init__(**kwargs)

    @property
    def hidden_size(self) -> int:
        """Size of the encoder's vectors."""
        return self.encoder_config.hidden_size

    @property
    def router_arguments(self) -> dict[str, Any]:
        """The settings that take the place of the preset's."""
        settings = {'noise': self.router_noise, 'topk_first': self.topk_first}
        return {k: v for k, v in settings.items() if v is not None}


def _encoder_config(
    config: PretrainedConfig | dict[str, Any] | None,
) -> PretrainedConfig:
    if config is None:
        return BertConfig()
    if isinstance(config, PretrainedConfig):
        return config
    settings = dict(config)
    if 'model_type' not in settings:
        raise ValueError(
            "'encoder_config' must name its 'model_type', got "
            f'{sorted(settings)}'
        )
    return AutoConfig.for_model(**settings)
