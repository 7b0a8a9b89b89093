"""Layers and networks of experts.

:class:`GMoEConv` is the layer: it lets a router choose experts for each node
and sums their outputs. Its experts are a bank, such as :class:`GCNExperts` or
:class:`ModuleExperts` for convolutions of PyG. :class:`GNN` is a network of
such layers, and :func:`to_gmoe` turns a network of yours into one.
"""

from gmoe.nn.conv import LinearGCNConv, OGBGCNConv, OGBGINConv, RelationalConv
from gmoe.nn.encoders import (
    ATOM_FEATURE_DIMS,
    BOND_FEATURE_DIMS,
    CategoricalEncoder,
)
from gmoe.nn.equal_cost import hidden_for_equal_cost
from gmoe.nn.experts import (
    ExpertBank,
    GCNExperts,
    GINExperts,
    LinearGCNExperts,
    MLPExperts,
    ModuleExperts,
    RelationalExperts,
)
from gmoe.nn.gmoe_conv import GMoEConv
from gmoe.nn.models import (
    GNN,
    EncodedGraph,
    LayeredNetwork,
    LinkGNN,
    LinkHead,
    NodeGNN,
    TripleGNN,
    to_gmoe,
    upcycle,
)
from gmoe.nn.neighborhood import Neighborhood
from gmoe.nn.norm import ExpertNorm
from gmoe.nn.readout import RootReadout

__all__ = [
    'ATOM_FEATURE_DIMS',
    'BOND_FEATURE_DIMS',
    'GNN',
    'CategoricalEncoder',
    'EncodedGraph',
    'ExpertBank',
    'ExpertNorm',
    'GCNExperts',
    'GINExperts',
    'GMoEConv',
    'LayeredNetwork',
    'LinearGCNConv',
    'LinearGCNExperts',
    'LinkGNN',
    'LinkHead',
    'MLPExperts',
    'ModuleExperts',
    'Neighborhood',
    'NodeGNN',
    'OGBGCNConv',
    'OGBGINConv',
    'RelationalConv',
    'RelationalExperts',
    'RootReadout',
    'TripleGNN',
    'hidden_for_equal_cost',
    'to_gmoe',
    'upcycle',
]
