"""The settings of a BERT with a mixture of experts."""

from __future__ import annotations

import inspect
from typing import Any

from gmoe.common.arguments import (
    check_choice,
    check_integer,
    check_number,
    check_share,
)
from gmoe.common.require import require
from gmoe.common.shown import shown
from gmoe.nn.experts.mlp import ACTIVATIONS
from gmoe.routing import ROUTER_PRESETS
from gmoe.text.checks import check_names, check_selected
from gmoe.text.foreign import keep_foreign, split_foreign, unknown_names
from gmoe.text.head import POOLINGS
from gmoe.text.old_names import with_new_names

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
        experts_per_token: Number of experts that the router selects for a
            text; the presets without ``topk`` have no such number. It is not
            called :obj:`top_k`, as elsewhere, because transformers takes a
            field of that name for a setting of how text is generated.
            (default: 2 for the others)
        hidden_channels: Size of the experts' hidden and output vectors.
        expert_activation: A key of :data:`gmoe.nn.experts.mlp.ACTIVATIONS`.
        router: A key of :data:`gmoe.routing.ROUTER_PRESETS`.
        router_noise: Whether noise is added to the scores in training.
            (default: the preset's)
        topk_first: Whether weights are normalised over the selected experts
            only. (default: :class:`gmoe.routing.Router`'s)
        pooling: :obj:`"cls"`, :obj:`"mean"` or :obj:`"max"`.
        dropout: Dropout before the experts and before the classifier.
        balance_weight: Factor of :func:`gmoe.routing.balance_loss`,
            which is added to the cross entropy in training.
        **kwargs: Arguments of :class:`transformers.PretrainedConfig`, such
            as :obj:`num_labels` and :obj:`id2label`.

    Raises:
        ValueError: If a setting is out of range, or does not exist.
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
        experts_per_token: int | None = None,
        hidden_channels: int = 256,
        expert_activation: str = 'relu',
        router: str = 'linear_softmax_topk',
        router_noise: bool | None = None,
        topk_first: bool | None = None,
        pooling: str = 'mean',
        dropout: float = 0.1,
        balance_weight: float = 0.0,
        **kwargs: Any,
    ) -> None:
        kwargs = with_new_names(kwargs)
        # A misspelt setting would be kept, and do nothing.
        check_names('settings', unknown_names(kwargs, _OWN), _OWN)
        self.encoder_config = _encoder_config(encoder_config)
        self.num_experts = num_experts
        self.experts_per_token = experts_per_token
        self.hidden_channels = hidden_channels
        self.expert_activation = expert_activation
        self.router = router
        self.router_noise = router_noise
        self.topk_first = topk_first
        self.pooling = pooling
        self.dropout = dropout
        self.balance_weight = balance_weight
        # It sets what is left, such as settings by their names of before.
        super().__init__(**kwargs)
        selects = str(self.router).endswith('topk')
        if self.experts_per_token is None and selects:
            check_integer(1, num_experts=self.num_experts)
            self.experts_per_token = min(2, self.num_experts)
        self.check_settings()

    def check_settings(self) -> None:
        """Looks at all settings.

        Raises:
            ValueError: If one is out of range.
        """
        for name, known in (
            ('router', sorted(ROUTER_PRESETS)),
            ('pooling', POOLINGS),
            ('expert_activation', sorted(ACTIVATIONS)),
            ('router_noise', (None, False, True)),
            ('topk_first', (None, False, True)),
        ):
            check_choice(name, getattr(self, name), known)
        for name in ('num_experts', 'hidden_channels', 'num_labels'):
            check_integer(1, **{name: getattr(self, name)})
        check_share(dropout=self.dropout)
        check_number(balance_weight=self.balance_weight)
        check_selected(self.router, self.num_experts, self.experts_per_token)

    @classmethod
    def from_dict(
        cls, config_dict: dict[str, Any], **kwargs: Any
    ) -> BertMoeConfig | tuple[BertMoeConfig, dict[str, Any]]:
        """Reads the settings in a file, which another version may have
        written: those that are not known here are kept as they are.

        Args:
            config_dict: The settings in the file.
            **kwargs: Settings that take the place of those in the file.

        Raises:
            ValueError: If a setting is out of range.
        """
        config_dict = with_new_names(config_dict)
        own, foreign = split_foreign(config_dict, _OWN)
        out = super().from_dict(own, **with_new_names(kwargs))
        config = out[0] if isinstance(out, tuple) else out
        keep_foreign(config, foreign)
        config.check_settings()
        return out

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
    if not isinstance(config, dict):
        raise ValueError(
            "'encoder_config' must be a configuration or a dictionary, got "
            f'{shown(config)}'
        )
    settings = dict(config)
    if 'model_type' not in settings:
        raise ValueError(
            "'encoder_config' must name its 'model_type', got "
            f'{sorted(settings)}'
        )
    return AutoConfig.for_model(**settings)


#: The settings of this class, which a misspelt one is compared with.
_OWN = {
    *inspect.signature(BertMoeConfig.__init__).parameters,
    *('num_labels', 'id2label', 'label2id', 'problem_type', 'dtype'),
} - {'self', 'kwargs'}
