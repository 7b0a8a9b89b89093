"""The floating-point operations of a Switch Transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gmoe.common.arguments import check_integer, check_number
from gmoe.common.shown import shown
from gmoe.text.switch.config import SwitchMoeConfig


@dataclass(frozen=True)
class StackFlops:
    """The operations of the encoder or the decoder.

    Attributes:
        attention: Of attention: projections, scores and weighted sums.
        feed_forward: Of the layers that are no mixtures.
        router: Of the routers.
        experts: Of the experts.
        head: Of the scores of the words, in the decoder.
    """

    attention: int
    feed_forward: int
    router: int
    experts: int
    head: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        parts = self.attention + self.feed_forward + self.router
        return parts + self.experts + self.head


@dataclass(frozen=True)
class SwitchFlops:
    """The operations of a text and its summary.

    Attributes:
        encoder: Of the encoder.
        decoder: Of the decoder.
    """

    encoder: StackFlops
    decoder: StackFlops

    @property
    def total(self) -> int:
        """All of them."""
        return self.encoder.total + self.decoder.total


def switch_flops(
    config: SwitchMoeConfig,
    source_tokens: int,
    target_tokens: int,
    encoder_experts: float | None = None,
    decoder_experts: float | None = None,
) -> SwitchFlops:
    r"""Counts the operations of all matrix products of one forward pass over
    a text and its summary, two for each multiplication and addition. A step
    of training takes about three times as many.

    Of experts it is :math:`4 \, d \, d_\mathrm{ff}` for each assignment of a
    token, and the rest does not depend on their number but for the router.

    Args:
        config: The settings of the model.
        source_tokens: Number of tokens of the text.
        target_tokens: Number of tokens of the summary.
        encoder_experts: The mean number of experts of a token, over tokens
            and layers, as :func:`gmoe.text.routing_report` measures it.
            (default: that of the router, if it is fixed)
        decoder_experts: The same in the decoder.

    Raises:
        ValueError: If the settings are of another model, a number is out of
            range, or the router decides how many experts a token has, and
            the number is not given.
    """
    if not isinstance(config, SwitchMoeConfig):
        raise ValueError(
            f"'config' must be a SwitchMoeConfig, got {shown(config)}"
        )
    check_integer(1, source_tokens=source_tokens, target_tokens=target_tokens)
    encoder, decoder = (
        _experts_per_token(config, name, given)
        for name, given in (
            ('encoder_experts', encoder_experts),
            ('decoder_experts', decoder_experts),
        )
    )
    layers = config.num_decoder_layers
    attention = layers * (
        _attention(config, target_tokens, target_tokens)
        + _attention(config, target_tokens, source_tokens)
    )
    return SwitchFlops(
        encoder=StackFlops(
            config.num_layers
            * _attention(config, source_tokens, source_tokens),
            *_feed_forward(config, 'encoder', source_tokens, encoder),
        ),
        decoder=StackFlops(
            attention,
            *_feed_forward(config, 'decoder', target_tokens, decoder),
            head=_product(target_tokens, config.d_model, config.vocab_size),
        ),
    )


def _product(rows: int, inner: int, columns: int) -> int:
    return 2 * rows * inner * columns


def _attention(config: SwitchMoeConfig, queries: int, keys: int) -> int:
    """Of one layer: queries and outputs, keys and values, then scores and
    weighted sums of all pairs, those in the future too.
    """
    width = config.num_heads * config.d_kv
    projections = 2 * _product(queries, config.d_model, width)
    projections += 2 * _product(keys, config.d_model, width)
    return projections + 2 * _product(queries, width, keys)


def _feed_forward(
    config: SwitchMoeConfig, stack: str, tokens: int, experts: float
) -> tuple[int, int, int]:
    """Of all layers of a stack: dense ones, routers and experts."""
    total = config.num_layers
    moe = len(config.encoder_moe_layers or ())
    if stack == 'decoder':
        total = config.num_decoder_layers
        moe = len(config.decoder_moe_layers or ())
    network = 2 * _product(1, config.d_model, config.d_ff)
    return (
        (total - moe) * tokens * network,
        moe * _router(config, tokens),
        round(moe * tokens * experts) * network,
    )


def _router(config: SwitchMoeConfig, tokens: int) -> int:
    # Without its noise, which is drawn in training only.
    scores = _product(tokens, config.d_model, config.num_experts)
    if config.router_arguments['score'] == 'linear':
        return scores
    return scores + _product(tokens, config.d_model, config.d_model)


def _experts_per_token(
    config: SwitchMoeConfig, name: str, given: float | None
) -> float:
    if given is None:
        arguments = config.router_arguments
        if arguments['normalize'] != 'softmax':
            raise ValueError(
                f"'{name}' must be a number for the router "
                f'{config.router!r}, which gives each token its own number of '
                'experts, got None: gmoe.text.routing_report measures it'
            )
        return arguments['top_k'] or config.num_experts
    numbers: dict[str, Any] = {name: given}
    check_number(0, **numbers)
    if given > config.num_experts:
        raise ValueError(
            f"'{name}' must be at most num_experts={config.num_experts}, got "
            f'{shown(given)}'
        )
    return given
