"""A table of SMILES strings and targets as a dataset of graphs."""

from gmoe.datasets.molecules.dataset import MoleculeDataset
from gmoe.datasets.molecules.features import MoleculeFeatures
from gmoe.datasets.molecules.graphs import graphs_of
from gmoe.datasets.molecules.info import MoleculeInfo
from gmoe.datasets.molecules.molecule import Molecule, Refused, prepare
from gmoe.datasets.molecules.skipped import Skipped, write_skipped
from gmoe.datasets.molecules.splits import split
from gmoe.datasets.molecules.table import MoleculeTable, read_table

__all__ = [
    'Molecule',
    'MoleculeDataset',
    'MoleculeFeatures',
    'MoleculeInfo',
    'MoleculeTable',
    'Refused',
    'Skipped',
    'graphs_of',
    'prepare',
    'read_table',
    'split',
    'write_skipped',
]
