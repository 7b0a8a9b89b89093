"""Graphs whose nodes are classified, as ordinary PyG data objects.

:func:`load_nodes` reads the public ones by their names, in the layouts that
their authors and PyG have, and graphs of your own: a saved ``Data``, or a
folder of two tables. No file is unpickled.
"""

from gmoe.datasets.nodes.check import check_node_graph
from gmoe.datasets.nodes.graph import NodeGraph, load_nodes
from gmoe.datasets.nodes.info import NODE_SETS, NodeInfo

__all__ = [
    'NODE_SETS',
    'NodeGraph',
    'NodeInfo',
    'check_node_graph',
    'load_nodes',
]
