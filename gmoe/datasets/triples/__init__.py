"""Graphs of triples of subject, property and object."""

from gmoe.datasets.triples.codes import TripleFeatures
from gmoe.datasets.triples.dataset import TripleDataset
from gmoe.datasets.triples.features import Features, TextFeatures
from gmoe.datasets.triples.graph import TripleGraph, triples_to_graph
from gmoe.datasets.triples.read import read_triples
from gmoe.datasets.triples.text import (
    NodeType,
    normalize_node,
    normalize_property,
)

__all__ = [
    'Features',
    'NodeType',
    'TextFeatures',
    'TripleDataset',
    'TripleFeatures',
    'TripleGraph',
    'normalize_node',
    'normalize_property',
    'read_triples',
    'triples_to_graph',
]
