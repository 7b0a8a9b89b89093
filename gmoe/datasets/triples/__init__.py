"""Graphs of triples from anywhere."""

from gmoe.datasets.triples.dataset import TripleDataset, read_triples

__all__ = ['TripleDataset', 'read_triples']
