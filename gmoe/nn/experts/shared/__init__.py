"""Experts of one hop that share one aggregation of the input.

The message of some convolutions is linear in the features, and their
parameters come after (or, by linearity, may come after) the sum over
neighbours. Experts of one such class with the same settings need that sum
once, whatever their number; each transforms its own routed rows only.
"""

from gmoe.nn.experts.shared.find import SHARED_CONVS, SharedCall, find_shared

__all__ = ['SHARED_CONVS', 'SharedCall', 'find_shared']
