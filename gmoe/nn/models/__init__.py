"""Networks with mixtures of experts, and the conversion of others.

:class:`GNN` is for molecules and other attributed graphs, :class:`TripleGNN`
for graphs of texts; :class:`LayeredNetwork` is what both are made from.
:class:`NodeGNN` is for the nodes of one graph, :class:`LinkGNN` for pairs of
them.
:class:`EncodedGraph` is a network as a function of one graph's encoded nodes.
"""

from gmoe.nn.models.encoded_graph import EncodedGraph
from gmoe.nn.models.gnn import GNN
from gmoe.nn.models.link_gnn import LinkGNN
from gmoe.nn.models.link_head import LinkHead
from gmoe.nn.models.network import LayeredNetwork
from gmoe.nn.models.node_gnn import NodeGNN
from gmoe.nn.models.to_gmoe import to_gmoe
from gmoe.nn.models.triple_gnn import TripleGNN
from gmoe.nn.models.upcycle import upcycle

__all__ = [
    'GNN',
    'EncodedGraph',
    'LayeredNetwork',
    'LinkGNN',
    'LinkHead',
    'NodeGNN',
    'TripleGNN',
    'to_gmoe',
    'upcycle',
]
