"""Transforms of graphs, to be used as any transform of PyG."""

from gmoe.transforms.drop_nodes import DropNodes
from gmoe.transforms.freshness import check_two_hop
from gmoe.transforms.mask import MaskEntities, MaskProperties
from gmoe.transforms.router_input import RouterInput
from gmoe.transforms.two_hop import TwoHop

__all__ = [
    'DropNodes',
    'MaskEntities',
    'MaskProperties',
    'RouterInput',
    'TwoHop',
    'check_two_hop',
]
