"""Single convolutions: those that the banks of experts hold n of."""

from gmoe.nn.conv.ogb import OGBGCNConv, OGBGINConv
from gmoe.nn.conv.relational import RelationalConv

__all__ = ['OGBGCNConv', 'OGBGINConv', 'RelationalConv']
