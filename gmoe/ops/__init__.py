"""The inner loops, as functions of tensors.

Each has an eager PyTorch version, which is the reference.
"""

from gmoe.ops.combine import combine
from gmoe.ops.grouped_linear import grouped_linear
from gmoe.ops.needed_rows import needed_rows
from gmoe.ops.routed_message import routed_message
from gmoe.ops.two_hop import two_hop_edges

__all__ = [
    'combine',
    'grouped_linear',
    'needed_rows',
    'routed_message',
    'two_hop_edges',
]
