"""Encoders: from the codes of nodes, edges and texts to vectors."""

from gmoe.nn.encoders.embedding import (
    ATOM_FEATURE_DIMS,
    BOND_FEATURE_DIMS,
    CategoricalEncoder,
)

__all__ = ['ATOM_FEATURE_DIMS', 'BOND_FEATURE_DIMS', 'CategoricalEncoder']
