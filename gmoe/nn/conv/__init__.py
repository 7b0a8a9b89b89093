"""The mixture-of-experts convolution and its banks of experts."""

from gmoe.nn.conv.bank import ExpertBank
from gmoe.nn.conv.gcn import GCNExperts
from gmoe.nn.conv.gin import GINExperts
from gmoe.nn.conv.gmoe_conv import GMoEConv
from gmoe.nn.conv.module import LOCAL_CONVS, ModuleExperts
from gmoe.nn.conv.ogb import OGBGCNConv, OGBGINConv
from gmoe.nn.conv.relational import RelationalExperts
from gmoe.nn.conv.relational_conv import RelationalConv

__all__ = [
    'LOCAL_CONVS',
    'ExpertBank',
    'GCNExperts',
    'GINExperts',
    'GMoEConv',
    'ModuleExperts',
    'OGBGCNConv',
    'OGBGINConv',
    'RelationalConv',
    'RelationalExperts',
]
