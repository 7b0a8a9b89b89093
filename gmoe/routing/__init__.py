"""Decides which experts handle which node, and with what weight.

A :class:`Router` gives a :class:`Routing`, which the layers follow and which
the losses, such as :func:`balance_loss`, keep in balance.
"""

from gmoe.routing.collect import CollectedRoutings, collect_routing
from gmoe.routing.hold import hold_selection
from gmoe.routing.losses import (
    balance_loss,
    importance_loss,
    load_loss,
    router_z_loss,
    switch_loss,
)
from gmoe.routing.router import ROUTER_PRESETS, Router, UniformRouter
from gmoe.routing.routing import ExpertSlots, Routing
from gmoe.routing.score import AttentionScore, LinearScore

__all__ = [
    'ROUTER_PRESETS',
    'AttentionScore',
    'CollectedRoutings',
    'ExpertSlots',
    'LinearScore',
    'Router',
    'Routing',
    'UniformRouter',
    'balance_loss',
    'collect_routing',
    'hold_selection',
    'importance_loss',
    'load_loss',
    'router_z_loss',
    'switch_loss',
]
