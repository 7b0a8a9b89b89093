"""The losses that keep the experts of a Switch Transformer in balance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gmoe.routing import Routing, balance_loss, router_z_loss, switch_loss

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
