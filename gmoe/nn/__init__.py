"""Layers and models."""

from gmoe.nn.conv import (
    ExpertBank,
    GCNExperts,
    GINExperts,
    GMoEConv,
    ModuleExperts,
    OGBGCNConv,
    OGBGINConv,
    RelationalConv,
    RelationalExperts,
)
from gmoe.nn.embedding import (
    ATOM_FEATURE_DIMS,
    BOND_FEATURE_DIMS,
    CategoricalEncoder,
)
from gmoe.nn.gnn import GNN, hidden_for_equal_cost
from gmoe.nn.neighborhood import Neighborhood
from gmoe.nn.norm import ExpertNorm
from gmoe.nn.readout import RootReadout
from gmoe.nn.to_gmoe import to_gmoe
from gmoe.nn.triple_gnn import TripleGNN

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
