"""The settings of a Switch Transformer with a router of gmoe."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from gmoe.common.arguments import check_choice, check_integer, check_number
from gmoe.common.require import require
from gmoe.common.shown import shown
from gmoe.routing import ROUTER_PRESETS
from gmoe.text.checks import check_names, check_selected
from gmoe.text.foreign import keep_foreign, split_foreign, unknown_names

require('transformers')

from huggingface_hub.errors import StrictDataclassError  # noqa: E402
from transformers import SwitchTransformersConfig  # noqa: E402

#: The published settings of a router, and entmax, as arguments of
#: :class:`gmoe.routing.Router`.
SWITCH_ROUTERS: dict[str, dict[str, Any]] = {
    **ROUTER_PRESETS,
    **{
        f'{score}_entmax15': {
            'score': score,
            'normalize': 'entmax15',
            'noise': False,
        }
        for score in ('linear', 'attention')
    },
}

#: The losses that keep the experts of a layer in balance.
BALANCES = ('switch', 'importance_load', 'none')

_STACKS = ('encoder', 'decoder')


class SwitchMoeConfig(SwitchTransformersConfig):
    r"""The settings of
    :class:`~gmoe.text.SwitchMoeForConditionalGeneration`.

    Of the settings that are inherited from ``SwitchTransformersConfig``,
    those of its own router have no effect, as there is another one:
    ``expert_capacity`` (there is no bound), ``router_*`` and
    ``add_router_probs``.

    Args:
        num_experts: Number of experts of a layer.
        experts_per_token: Number of experts that the router selects for a
            token; the routers without ``topk`` have no such number. It is not
            called :obj:`top_k`, as elsewhere, because transformers takes a
            field of that name for a setting of how text is generated.
            (default: 2 for the others)
        router: A key of :data:`gmoe.routing.ROUTER_PRESETS`, or
            :obj:`"linear_entmax15"` or :obj:`"attention_entmax15"`.
        router_noise: Whether noise is added to the scores in training.
            (default: the preset's)
        topk_first: Whether weights are normalised over the selected experts
            only. The Switch Transformer itself has :obj:`False`. (default:
            :class:`gmoe.routing.Router`'s, :obj:`True`)
        balance: The loss that keeps the experts in balance in training, the
            mean over the layers: :obj:`"switch"`
            (:func:`gmoe.routing.switch_loss`), :obj:`"importance_load"`
            (:func:`gmoe.routing.balance_loss`) or :obj:`"none"`.
        balance_weight: Its factor.
        z_loss_weight: Factor of :func:`gmoe.routing.router_z_loss` in
            training, likewise the mean over the layers.
        encoder_moe_layers: The layers of the encoder that are mixtures,
            counted from 0. (default: as ``num_sparse_encoder_layers`` spreads
            them)
        decoder_moe_layers: The same of the decoder.
        **kwargs: Arguments of ``transformers.SwitchTransformersConfig``.

    Raises:
        ValueError: If a setting is out of range, or does not exist.
    """

    model_type = 'switch_moe'
    keys_to_ignore_at_inference = [
        'cache',
        'past_key_values',
        'encoder_aux_loss',
        'decoder_aux_loss',
        'encoder_z_loss',
        'decoder_z_loss',
    ]

    def __init__(
        self,
        num_experts: int = 8,
        experts_per_token: int | None = None,
        router: str = 'linear_softmax_topk',
        router_noise: bool | None = None,
        topk_first: bool | None = None,
        balance: str = 'switch',
        balance_weight: float = 0.01,
        z_loss_weight: float = 0.0,
        encoder_moe_layers: Sequence[int] | None = None,
        decoder_moe_layers: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        # A misspelt setting would be kept, and do nothing.
        check_names('settings', unknown_names(kwargs, SETTINGS), SETTINGS)
        check_integer(1, num_experts=num_experts)
        self.experts_per_token = experts_per_token
        self.router = router
        self.router_noise = router_noise
        self.topk_first = topk_first
        self.balance = balance
        self.balance_weight = balance_weight
        self.z_loss_weight = z_loss_weight
        self.encoder_moe_layers = encoder_moe_layers
        self.decoder_moe_layers = decoder_moe_layers
        try:
            super().__init__(num_experts=num_experts, **kwargs)
        except StrictDataclassError as error:  # No ValueError.
            raise ValueError(
                "'settings' must have values of their types, got "
                f'{" ".join(str(error).split())}'
            ) from error
        if self.experts_per_token is None and self.selects:
            self.experts_per_token = min(2, num_experts)
        for stack in _STACKS:
            self._set_layers(stack)
        self.check_settings()

    @property
    def selects(self) -> bool:
        """Whether the router selects a fixed number of experts."""
        return str(self.router).endswith('topk')

    @property
    def router_arguments(self) -> dict[str, Any]:
        """The arguments of :class:`gmoe.routing.Router`, but for the
        sizes.
        """
        given = {'noise': self.router_noise, 'topk_first': self.topk_first}
        return {
            'top_k': self.experts_per_token,
            **SWITCH_ROUTERS[self.router],
            **{k: v for k, v in given.items() if v is not None},
        }

    def check_settings(self) -> None:
        """Looks at all settings of this class.

        Raises:
            ValueError: If one is out of range.
        """
        for name, known in (
            ('router', sorted(SWITCH_ROUTERS)),
            ('router_noise', (None, False, True)),
            ('topk_first', (None, False, True)),
            ('balance', BALANCES),
        ):
            check_choice(name, getattr(self, name), known)
        check_integer(1, num_experts=self.num_experts)
        check_number(
            balance_weight=self.balance_weight,
            z_loss_weight=self.z_loss_weight,
        )
        check_selected(
            self.router,
            self.num_experts,
            self.experts_per_token,
            topk_first=self.topk_first,
        )

    @classmethod
    def from_dict(
        cls, config_dict: dict[str, Any], **kwargs: Any
    ) -> SwitchMoeConfig | tuple[SwitchMoeConfig, dict[str, Any]]:
        """Reads the settings in a file, which another version may have
        written: those that are not known here are kept as they are.

        Args:
            config_dict: The settings in the file.
            **kwargs: Settings that take the place of those in the file.

        Raises:
            ValueError: If a setting is out of range, or the file is of
                another kind of model.
        """
        kind = config_dict.get('model_type', cls.model_type)
        if kind != cls.model_type:
            raise ValueError(
                f"'model_type' must be {cls.model_type!r}, got {shown(kind)}: "
                'SwitchMoeForConditionalGeneration.from_switch and upcycle '
                'make a mixture of other models'
            )
        own, foreign = split_foreign(config_dict, SETTINGS)
        out = super().from_dict(own, **kwargs)
        config = out[0] if isinstance(out, tuple) else out
        keep_foreign(config, foreign)
        config.check_settings()
        return out

    def get_text_config(
        self, decoder: bool | None = None, encoder: bool | None = None
    ) -> Any:
        """The settings of one side; those of the decoder are what caches are
        made for.

        Args:
            decoder: Whether the settings are of the decoder.
            encoder: Whether they are of the encoder.
        """
        config = super().get_text_config(decoder=decoder, encoder=encoder)
        if decoder and not encoder:
            # Else caches have as many layers as the encoder.
            config = copy.copy(config)
            config.num_layers = self.num_decoder_layers
        return config

    def _set_layers(self, stack: str) -> None:
        """Names the layers of a stack that are mixtures."""
        total = getattr(
            self, 'num_layers' if stack == 'encoder' else 'num_decoder_layers'
        )
        field, count = f'{stack}_moe_layers', f'num_sparse_{stack}_layers'
        layers = getattr(self, field)
        if layers is None:
            step = getattr(self, f'{stack}_sparse_step')
            layers = moe_layers(total, step if getattr(self, count) else 0)
        layers = _check_layers(field, layers, total)
        setattr(self, field, layers)
        setattr(self, count, len(layers))


def moe_layers(num_layers: int, step: int) -> list[int]:
    """The layers that are mixtures in a Switch Transformer: every second one
    for a step of two.

    Args:
        num_layers: Number of layers.
        step: The step; there is none for 0.
    """
    layers = range(num_layers)
    return [i for i in layers if step > 0 and i % step == min(1, step - 1)]


def _check_layers(name: str, layers: Any, total: int) -> list[int]:
    if isinstance(layers, Iterable) and not isinstance(layers, (str, bytes)):
        found = list(layers)
        known = range(total)
        plain = all(type(i) is int and i in known for i in found)
        if plain and len(set(found)) == len(found):
            return sorted(found)
    raise ValueError(
        f"'{name}' must be different integers from 0 to {total - 1}, got "
        f'{shown(layers)}'
    )


#: The settings of this class and of its base, which a misspelt one is
#: compared with.
SETTINGS = {
    *inspect.signature(SwitchMoeConfig.__init__).parameters,
    *(field.name for field in dataclasses.fields(SwitchTransformersConfig)),
    *('encoder_sparse_step', 'decoder_sparse_step'),
} - {'self', 'kwargs'}
