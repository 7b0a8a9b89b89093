"""How a Switch Transformer spreads tokens over its experts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gmoe.common.shown import shown
from gmoe.routing import Routing, collect_routing
from gmoe.text.switch.model import SwitchMoeForConditionalGeneration


@dataclass(frozen=True)
class ExpertUse:
    """The use of the experts of a layer, or of all layers of a stack.

    Attributes:
        tokens: Number of tokens that were routed, once for each layer.
        experts_per_token: The mean number of experts of a token.
        experts_per_token_p95: The number that 95 % of tokens do not exceed.
        busiest_share: The largest share of the assignments that one expert
            of a layer has; with all experts alike, one over their number.
        idle_experts: How many experts had no token at all.
        tokens_per_expert: The number of tokens of each expert, for a layer.
    """

    tokens: int
    experts_per_token: float
    experts_per_token_p95: float
    busiest_share: float
    idle_experts: int
    tokens_per_expert: tuple[int, ...] = ()


@dataclass(frozen=True)
class RoutingReport:
    """The use of the experts of a model.

    Attributes:
        encoder: Of all layers of the encoder; :obj:`None` without mixtures.
        decoder: The same of the decoder.
        layers: Of each layer, by the name of its router.
    """

    encoder: ExpertUse | None
    decoder: ExpertUse | None
    layers: dict[str, ExpertUse]


class _Counts:
    """What is counted of a layer, batch by batch."""

    def __init__(self, num_experts: int) -> None:
        self.per_expert = torch.zeros(num_experts, dtype=torch.long)
        # How many tokens have so many experts.
        self.per_token = torch.zeros(num_experts + 1, dtype=torch.long)

    def add(self, routing: Routing) -> None:
        self.per_expert += routing.counts.cpu()
        sizes = routing.ptr.diff().cpu()
        self.per_token += torch.bincount(sizes, minlength=len(self.per_token))


@torch.no_grad()
def routing_report(
    model: nn.Module, batches: Iterable[Mapping[str, Tensor]]
) -> RoutingReport:
    """Runs texts through a model, without noise, and counts.

    Padding is not routed and does not count.

    Args:
        model: A :class:`~gmoe.text.SwitchMoeForConditionalGeneration`, or
            what holds one, such as :func:`gmoe.text.lora`'s.
        batches: Batches with ``input_ids``, ``attention_mask`` and
            ``labels``, as a data collator makes them.

    Raises:
        ValueError: If there is no such model or no batch, or a batch has
            nothing for the decoder.
    """
    base = find_model(model)
    if not isinstance(batches, Iterable):
        raise _refuse(shown(batches))
    counts: dict[str, _Counts] = {}
    modes = {module: module.training for module in base.modules()}
    base.eval()
    try:
        for batch in batches:
            _check_batch(batch)
            inputs = {k: v.to(base.device) for k, v in batch.items()}
            with collect_routing(base) as routings:
                base(**inputs)
            for name, routing in zip(routings.names, routings):
                layer = counts.setdefault(name, _Counts(routing.num_experts))
                layer.add(routing)
    finally:
        for module, training in modes.items():
            module.training = training
    if not counts:
        raise ValueError(
            "'batches' must hold a batch at least, and 'model' a mixture, "
            'got nothing to count'
        )
    return RoutingReport(
        encoder=_stack(counts, 'encoder'),
        decoder=_stack(counts, 'decoder'),
        layers={name: _use([layer]) for name, layer in counts.items()},
    )


def find_model(model: nn.Module) -> SwitchMoeForConditionalGeneration:
    """The Switch Transformer inside of what wraps it.

    Args:
        model: The model.

    Raises:
        ValueError: If there is none.
    """
    if isinstance(model, nn.Module):
        for module in model.modules():
            if isinstance(module, SwitchMoeForConditionalGeneration):
                return module
    raise ValueError(
        "'model' must be a SwitchMoeForConditionalGeneration, got "
        f'{shown(type(model).__name__)}'
    )


def _check_batch(batch: Any) -> None:
    if not isinstance(batch, Mapping):
        raise _refuse(shown(batch))
    names = set(batch)
    if not ('input_ids' in names and {'labels', 'decoder_input_ids'} & names):
        raise _refuse(str(sorted(names)))
    for name, value in batch.items():
        if not isinstance(value, Tensor):
            raise _refuse(f'{shown(value)} as {name!r}')


def _refuse(found: str) -> ValueError:
    return ValueError(
        "'batches' must hold dictionaries of tensors with 'input_ids' and "
        f"'labels' (or 'decoder_input_ids'), got {found}"
    )


def _stack(counts: dict[str, _Counts], stack: str) -> ExpertUse | None:
    layers = [c for name, c in counts.items() if name.startswith(stack)]
    return _use(layers) if layers else None


def _use(layers: list[_Counts]) -> ExpertUse:
    per_token = torch.stack([layer.per_token for layer in layers]).sum(0)
    tokens = int(per_token.sum())
    number = torch.arange(len(per_token))
    # The least number whose share of tokens, with all below, is enough.
    # In integers, which do not round.
    enough = 20 * per_token.cumsum(0) >= 19 * tokens
    shares = [
        float(layer.per_expert.max()) / max(int(layer.per_expert.sum()), 1)
        for layer in layers
    ]
    alone = layers[0].per_expert.tolist() if len(layers) == 1 else []
    return ExpertUse(
        tokens=tokens,
        experts_per_token=float((per_token * number).sum()) / max(tokens, 1),
        experts_per_token_p95=float(enough.int().argmax()),
        busiest_share=max(shares),
        idle_experts=sum(int((c.per_expert == 0).sum()) for c in layers),
        tokens_per_expert=tuple(alone),
    )
