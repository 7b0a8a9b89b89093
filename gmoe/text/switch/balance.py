"""The losses that keep the experts of a Switch Transformer in balance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from gmoe.routing import (
    Router,
    Routing,
    balance_loss,
    router_z_loss,
    switch_loss,
)

_LOSSES: dict[str, Callable[[Routing], Tensor]] = {
    'switch': switch_loss,
    'importance_load': balance_loss,
}


def balance_of_layers(
    routings: Sequence[Routing], balance: str
) -> Tensor | None:
    """The balance loss of each layer, and not of all their tokens together:
    a layer out of balance does not make up for another.

    Args:
        routings: The routing of each layer.
        balance: One of :data:`gmoe.text.switch.config.BALANCES`.

    Returns:
        One loss per layer, or :obj:`None` without layers and for ``"none"``.
    """
    if balance == 'none' or not routings:
        return None
    return torch.stack([_LOSSES[balance](routing) for routing in routings])


def z_loss_of_layers(routings: Sequence[Routing]) -> Tensor | None:
    """The z-loss of each layer.

    Args:
        routings: The routing of each layer.

    Returns:
        One loss per layer, or :obj:`None` without layers.
    """
    if not routings:
        return None
    return torch.stack([router_z_loss(routing) for routing in routings])


def check_gradient(model: nn.Module, routings: Sequence[Routing]) -> None:
    """Refuses a model that is trained with reentrant checkpointing: it runs
    the layers without autograd, and what they give away beside their output
    is cut off from it.

    Args:
        model: The model, with gradient checkpointing, in training mode.
        routings: The routing of each layer.

    Raises:
        ValueError: If it is so.
    """
    is_cut = not any(
        value.requires_grad
        for routing in routings
        for value in (routing.weight, routing.logits)
        if value is not None
    )
    learns = any(
        parameter.requires_grad
        for module in model.modules()
        if isinstance(module, Router)
        for parameter in module.parameters()
    )
    if routings and torch.is_grad_enabled() and learns and is_cut:
        raise ValueError(
            "'use_reentrant' must be False in the arguments of gradient "
            'checkpointing, got True: the balance losses would have no '
            'gradient'
        )
