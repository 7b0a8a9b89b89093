"""Decides which experts handle which node, and with what weight.

A :class:`Router` gives a :class:`Routing`, which the layers follow and which
the losses, such as :func:`balance_loss`, keep in balance.
"""

from gmoe.routing.adaptive import TopAny, TopP
from gmoe.routing.balanced import BalancedTopK, update_balance
from gmoe.routing.collect import CollectedRoutings, collect_routing
from gmoe.routing.expert_choice import ExpertChoice
from gmoe.routing.hold import hold_selection
from gmoe.routing.losses import (
    balance_loss,
    entropy_loss,
    importance_loss,
    load_loss,
    router_z_loss,
    switch_loss,
)
from gmoe.routing.report import Bucket, routing_report
from gmoe.routing.router import ROUTER_PRESETS, Router, UniformRouter
from gmoe.routing.routing import ExpertSlots, Routing
from gmoe.routing.score import AttentionScore, CosineScore, LinearScore
from gmoe.routing.select import Selection
from gmoe.routing.selections import SELECTIONS

__all__ = [
    'ROUTER_PRESETS',
    'SELECTIONS',
    'AttentionScore',
    'BalancedTopK',
    'Bucket',
    'CollectedRoutings',
    'CosineScore',
    'ExpertChoice',
    'ExpertSlots',
    'LinearScore',
    'Router',
    'Routing',
    'Selection',
    'TopAny',
    'TopP',
    'UniformRouter',
    'balance_loss',
    'collect_routing',
    'entropy_loss',
    'hold_selection',
    'importance_loss',
    'load_loss',
    'router_z_loss',
    'routing_report',
    'switch_loss',
    'update_balance',
]
