"""Banks of experts: n convolutions whose weights are stacked.

A bank computes the output of each slot, which is an expert at a node that was
routed to it. :class:`MLPExperts` has no graph: it is for single vectors.
"""

from gmoe.nn.experts.bank import ExpertBank
from gmoe.nn.experts.gcn import GCNExperts
from gmoe.nn.experts.gin import GINExperts
from gmoe.nn.experts.linear_gcn import LinearGCNExperts
from gmoe.nn.experts.mlp import MLPExperts
from gmoe.nn.experts.module import LOCAL_CONVS, ModuleExperts
from gmoe.nn.experts.relational import RelationalExperts
from gmoe.nn.experts.shared import SHARED_CONVS

__all__ = [
    'LOCAL_CONVS',
    'SHARED_CONVS',
    'ExpertBank',
    'GCNExperts',
    'GINExperts',
    'LinearGCNExperts',
    'MLPExperts',
    'ModuleExperts',
    'RelationalExperts',
]
