"""Assertions that a layer or a network on graphs should fulfil.

They need no test runner: each raises an :class:`AssertionError` that says what
does not hold and by how much.
"""

from gmoe.testing.overfit import assert_overfits
from gmoe.testing.symmetry import (
    assert_batch_equals_singles,
    assert_edge_order_invariant,
    assert_permutation_equivariant,
)

__all__ = [
    'assert_batch_equals_singles',
    'assert_edge_order_invariant',
    'assert_overfits',
    'assert_permutation_equivariant',
]
