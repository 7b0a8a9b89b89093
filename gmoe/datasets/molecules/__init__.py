"""A table of SMILES strings and targets as a dataset of graphs."""

from gmoe.datasets.molecules.features import MoleculeFeatures
from gmoe.datasets.molecules.info import MoleculeInfo

__all__ = ['MoleculeFeatures', 'MoleculeInfo']
