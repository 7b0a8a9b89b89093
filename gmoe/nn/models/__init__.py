"""Networks with mixtures of experts, and the conversion of others.

:class:`GNN` is for molecules and other attributed graphs, :class:`TripleGNN`
for graphs of texts; :class:`LayeredNetwork` is what both are made from.
"""

from gmoe.nn.models.gnn import GNN
from gmoe.nn.models.network import LayeredNetwork
from gmoe.nn.models.to_gmoe import to_gmoe
from gmoe.nn.models.triple_gnn import TripleGNN

__all__ = ['GNN', 'LayeredNetwork', 'TripleGNN', 'to_gmoe']
