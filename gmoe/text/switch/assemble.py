"""A mixture put together of its settings and of pretrained weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from gmoe.common.require import require
from gmoe.routing import Router
from gmoe.text.switch.config import SwitchMoeConfig
from gmoe.text.switch.stack import reset_router

require('transformers')

from transformers import PreTrainedModel  # noqa: E402

Model = TypeVar('Model', bound=PreTrainedModel)


def assemble(
    make: Callable[[SwitchMoeConfig], Model],
    config: SwitchMoeConfig,
    source: PreTrainedModel,
    weights: dict[str, Tensor],
    is_shared: bool,
) -> Model:
    """A model in evaluation mode with given weights, of the type and on the
    device of its source. Routers without weights are drawn at random.

    Args:
        make: The class of the model.
        config: Its settings.
        source: The pretrained model that the weights are of.
        weights: The weights by their names; those of routers may be missing.
        is_shared: Whether the source is used elsewhere, so that the weights
            have to be copied.
    """
    if is_shared:
        weights = {name: value.clone() for name, value in weights.items()}
    with torch.device('meta'):
        model = make(config)
    model.load_state_dict(weights, strict=False, assign=True)
    model.tie_weights()
    for name, module in model.named_modules():
        if isinstance(module, Router):
            kept = f'{name}.score_gate.weight' in weights
            _make_router(module, source, kept)
    model.generation_config = copy.deepcopy(source.generation_config)
    model.config.dtype = source.dtype
    return model.eval()


def _make_router(router: Router, source: PreTrainedModel, kept: bool) -> None:
    """Gives a router without memory its own, in float32 or wider."""
    gate = router.score_gate.weight.detach().clone() if kept else None
    router.to_empty(device=source.device)
    router.to(torch.promote_types(source.dtype, torch.float32))
    reset_router(router)
    if gate is not None:
        with torch.no_grad():
            router.score_gate.weight.copy_(gate)
