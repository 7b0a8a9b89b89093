"""Layers and models."""

from gmoe.nn.conv import OGBGCNConv, OGBGINConv, RelationalConv
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
    MLPExperts,
    ModuleExperts,
    RelationalExperts,
)
from gmoe.nn.gmoe_conv import GMoEConv
from gmoe.nn.models import GNN, TripleGNN, to_gmoe
from gmoe.nn.neighborhood import Neighborhood
from gmoe.nn.norm import ExpertNorm
from gmoe.nn.readout import RootReadout

__all__ = [
    'ATOM_FEATURE_DIMS',
    'BOND_FEATURE_DIMS',
    'GNN',
    'CategoricalEncoder',
    'ExpertBank',
    'ExpertNorm',
    'GCNExperts',
    'GINExperts',
    'GMoEConv',
    'MLPExperts',
    'ModuleExperts',
    'Neighborhood',
    'OGBGCNConv',
    'OGBGINConv',
    'RelationalConv',
    'RelationalExperts',
    'RootReadout',
    'TripleGNN',
    'hidden_for_equal_cost',
    'to_gmoe',
]
