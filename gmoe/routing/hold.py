"""Keeps the experts of a routing while the features change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any

from torch import Tensor, nn

from gmoe.routing.router import Router, UniformRouter
from gmoe.routing.routing import Routing
from gmoe.routing.select import routing_of


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

    def hook(router: nn.Module, args: tuple, out: Routing) -> Any:
        kept = next(held)
        if not isinstance(router, Router):
            return out
        return _held(router, args, kept, out)

    handles = [router.register_forward_hook(hook) for router in routers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _held(router: Router, args: tuple, held: Routing, out: Routing) -> Routing:
    """The routing of features by the experts of another routing."""
    x: Tensor = args[0]
    copies, rest = divmod(x.size(0), max(held.num_nodes, 1))
    if rest != 0 or held.num_experts != router.num_experts:
        raise ValueError(
            f"'routings' must be of {x.size(0)} nodes, or a part of them that "
            f'is repeated, and {router.num_experts} experts, got '
            f'{held.num_nodes} and {held.num_experts}'
        )
    scores = router.clean_scores(*args)
    selected = router.selection.hold(scores, held, copies)
    return out if selected is None else routing_of(selected, held.num_experts)
