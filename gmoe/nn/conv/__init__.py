"""Single convolutions: those that the banks of experts hold n of.

They are PyG convolutions of edges, or of a :class:`~gmoe.nn.Neighborhood`.
"""

from gmoe.nn.conv.linear_gcn import LinearGCNConv
from gmoe.nn.conv.ogb import OGBGCNConv, OGBGINConv
from gmoe.nn.conv.relational import RelationalConv

__all__ = ['LinearGCNConv', 'OGBGCNConv', 'OGBGINConv', 'RelationalConv']
