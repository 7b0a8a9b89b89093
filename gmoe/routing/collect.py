"""Gathers the routings of models that were not written to return them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from gmoe.routing.router import Router, UniformRouter
from gmoe.routing.routing import Routing


class CollectedRoutings(list[Routing]):
    """The routings of a forward pass in the order in which they were made.

    Attributes:
        names: The name of the module that made each of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []


@contextmanager
def collect_routing(model: nn.Module) -> Iterator[CollectedRoutings]:
    """Collects what every router inside :obj:`model` returns while the
    context is open::

        with collect_routing(model) as routings:
            out = model(x, edge_index)
        loss = task_loss(out) + 0.1 * balance_loss(routings)

    Args:
        model: Any model with :class:`~gmoe.routing.Router` modules inside.
    """
    routings = CollectedRoutings()

    def make_hook(name: str) -> Any:
        def hook(module: nn.Module, args: Any, output: Routing) -> None:
            routings.append(output)
            routings.names.append(name)

        return hook

    handles = [
        module.register_forward_hook(make_hook(name))
        for name, module in model.named_modules()
        if isinstance(module, (Router, UniformRouter))
    ]
    try:
        yield routings
    finally:
        for handle in handles:
            handle.remove()
