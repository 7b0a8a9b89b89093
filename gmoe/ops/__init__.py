"""The inner loops, as functions of tensors.

Each has an eager PyTorch version, which is the reference, and is used where
the fused one is not there.
"""

from gmoe.ops.backend import eager_ops, load
from gmoe.ops.combine import combine
from gmoe.ops.expert_mlp import expert_mlp
from gmoe.ops.expert_norm import expert_norm
from gmoe.ops.gather_rows import add_rows, gather_rows
from gmoe.ops.gcn_experts import gcn_experts
from gmoe.ops.group_by_expert import group_by_expert
from gmoe.ops.grouped_linear import group_of, grouped_linear
from gmoe.ops.linear import linear
from gmoe.ops.message import MessageHop
from gmoe.ops.needed_rows import needed_rows
from gmoe.ops.neighbor_sum import Adjacency, neighbor_sum
from gmoe.ops.noisy_topk import noisy_topk
from gmoe.ops.norm_combine import norm_combine
from gmoe.ops.relu_dropout import relu_dropout
from gmoe.ops.routed_message import routed_message
from gmoe.ops.routed_mlp import routed_mlp
from gmoe.ops.two_hop import two_hop_edges

# The binaries must have what the modules above have declared.
AVAILABLE, CUDA_AVAILABLE = load()

__all__ = [
    'AVAILABLE',
    'CUDA_AVAILABLE',
    'Adjacency',
    'MessageHop',
    'add_rows',
    'combine',
    'eager_ops',
    'expert_mlp',
    'expert_norm',
    'gather_rows',
    'gcn_experts',
    'group_by_expert',
    'group_of',
    'grouped_linear',
    'linear',
    'needed_rows',
    'neighbor_sum',
    'noisy_topk',
    'norm_combine',
    'relu_dropout',
    'routed_message',
    'routed_mlp',
    'two_hop_edges',
]
