"""Networks with mixtures of experts, and the conversion of others."""

from gmoe.nn.models.gnn import GNN
from gmoe.nn.models.to_gmoe import to_gmoe
from gmoe.nn.models.triple_gnn import TripleGNN

__all__ = ['GNN', 'TripleGNN', 'to_gmoe']
