"""Graph mixtures of experts on PyTorch Geometric.

The names below and the subpackages are imported at their first use, so that
``import gmoe`` takes about a millisecond.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gmoe.common.lazy import lazy

if TYPE_CHECKING:
    from gmoe import (
        datasets,
        molecules,
        nn,
        ops,
        routing,
        testing,
        text,
        training,
        transforms,
        visualize,
    )
    from gmoe.nn import (
        GNN,
        GCNExperts,
        GINExperts,
        GMoEConv,
        ModuleExperts,
        RelationalExperts,
        to_gmoe,
    )
    from gmoe.routing import Router, Routing, balance_loss, collect_routing
    from gmoe.transforms import TwoHop

__version__ = '0.1.0'

__all__ = [
    'GNN',
    'GCNExperts',
    'GINExperts',
    'GMoEConv',
    'ModuleExperts',
    'RelationalExperts',
    'Router',
    'Routing',
    'TwoHop',
    'balance_loss',
    'collect_routing',
    'datasets',
    'molecules',
    'nn',
    'ops',
    'routing',
    'testing',
    'text',
    'to_gmoe',
    'training',
    'transforms',
    'visualize',
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        'GNN': 'gmoe.nn',
        'GCNExperts': 'gmoe.nn',
        'GINExperts': 'gmoe.nn',
        'GMoEConv': 'gmoe.nn',
        'ModuleExperts': 'gmoe.nn',
        'RelationalExperts': 'gmoe.nn',
        'Router': 'gmoe.routing',
        'Routing': 'gmoe.routing',
        'TwoHop': 'gmoe.transforms',
        'balance_loss': 'gmoe.routing',
        'collect_routing': 'gmoe.routing',
        'to_gmoe': 'gmoe.nn',
    },
    subpackages=(
        'datasets',
        'molecules',
        'nn',
        'ops',
        'routing',
        'testing',
        'text',
        'training',
        'transforms',
        'visualize',
    ),
)
