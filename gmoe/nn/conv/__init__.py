"""The mixture-of-experts convolution and its banks of experts."""

from gmoe.nn.conv.bank import ExpertBank
from gmoe.nn.conv.gcn import GCNExperts
from gmoe.nn.conv.gin import GINExperts
from gmoe.nn.conv.gmoe_conv import GMoEConv
from gmoe.nn.conv.module import LOCAL_CONVS, ModuleExperts
from gmoe.nn.conv.ogb import OGBGCNConv, OGBGINConv

__all__ = [
    'LOCAL_CONVS',
    'ExpertBank',
    'GCNExperts',
    'GINExperts',
    'GMoEConv',
    'ModuleExperts',
    'OGBGCNConv',
    'OGBGINConv',
]
