"""Keeps the experts of a routing while the features change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from gmoe.routing.normalize import NORMALIZATIONS
from gmoe.routing.router import Router, UniformRouter
from gmoe.routing.routing import Routing


@contextmanager
def hold_selection(
    model: nn.Module, routings: Sequence[Routing]
) -> Iterator[None]:
    r"""Lets every router inside :obj:`model` choose the experts of
    :obj:`routings` while the context is open. Their weights still follow from
    the features.

    A top-:math:`k` gate jumps where two experts change places, and no
    gradient sees a jump. With the experts held, a network is continuous in
    its features, and integrated gradients sum to the difference that they
    explain.

    Routers without a selection are continuous, and stay as they are.

    Args:
        model: A model with :class:`~gmoe.routing.Router` modules inside, in
            evaluation mode.
        routings: The routing of each of them in the order of their use, as
            :func:`collect_routing` and the networks give them. A batch of
            several copies of the same nodes is held copy by copy.

    Raises:
        ValueError: If there are no routings; in the forward pass, if the
            number of nodes is no multiple of theirs.
    """
    routers = [
        module
        for module in model.modules()
        if isinstance(module, Router | UniformRouter)
    ]
    if routers and not routings:
        raise ValueError("'routings' must have one for each router, got []")
    held = cycle(routings)

    def hook(router: nn.Module, args: tuple[Tensor], out: Routing) -> Any:
        kept = next(held)
        return _held(router, args[0], kept) if _selects(router) else out

    handles = [router.register_forward_hook(hook) for router in routers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _selects(router: nn.Module) -> TypeGuard[Router]:
    return isinstance(router, Router) and router.top_k is not None


def _selection(held: Routing, top_k: int) -> Tensor:
    """The selected experts, of shape :math:`(N, k)`."""
    if held.slots_per_node == top_k:
        return held.expert.view(-1, top_k)
    # A weight of zero has left slots out; the scores tell the selection.
    assert held.logits is not None
    order = held.logits.detach().sort(dim=1, descending=True, stable=True)
    return order.indices[:, :top_k]


def _held(router: Router, x: Tensor, held: Routing) -> Routing:
    """The routing of features by the experts of another routing."""
    copies, rest = divmod(x.size(0), max(held.num_nodes, 1))
    if rest != 0 or held.num_experts != router.num_experts:
        raise ValueError(
            f"'routings' must be of {x.size(0)} nodes, or a part of them that "
            f'is repeated, and {router.num_experts} experts, got '
            f'{held.num_nodes} and {held.num_experts}'
        )
    scores = router.score_gate(x.to(torch.promote_types(x.dtype, torch.float)))
    normalize: Any = NORMALIZATIONS[router.normalize]
    assert router.top_k is not None
    expert = _selection(held, router.top_k).repeat(copies, 1)
    if router.topk_first:
        weight = normalize(scores.gather(1, expert))
    else:
        weight = normalize(scores).gather(1, expert)
    num_nodes, k = expert.shape
    return Routing(
        ptr=torch.arange(0, num_nodes * k + 1, k, device=x.device),
        expert=expert.reshape(-1),
        weight=weight.reshape(-1),
        num_experts=router.num_experts,
        slots_per_node=k,
        logits=scores,
    )
