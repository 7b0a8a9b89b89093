"""Datasets that yield ordinary PyG data objects."""

from gmoe.datasets.errors import CorruptDatasetError
from gmoe.datasets.hop_mixture import HopMixture
from gmoe.datasets.limits import Limits
from gmoe.datasets.links import LINK_SETS, LinkGraph, LinkInfo, load_links
from gmoe.datasets.molecules import (
    MoleculeDataset,
    MoleculeFeatures,
    MoleculeInfo,
    MoleculeTable,
    graphs_of,
    read_table,
)
from gmoe.datasets.nodes import (
    NODE_SETS,
    NodeGraph,
    NodeInfo,
    check_node_graph,
    load_nodes,
)
from gmoe.datasets.ogb.info import (
    OGBMolInfo,
    import_ogb,
    ogb_mol_info,
    ogb_mol_names,
)
from gmoe.datasets.ogb.molecules import OGBMolDataset
from gmoe.datasets.ogb.smiles import from_smiles
from gmoe.datasets.peptides import PeptidesFunc
from gmoe.datasets.samsum import SAMSum, SAMSumEntry
from gmoe.datasets.triples import (
    TextFeatures,
    TripleDataset,
    TripleFeatures,
    read_triples,
)
from gmoe.datasets.webnlg import (
    WebNLGDataset,
    WebNLGEntry,
    webnlg_dataset_dict,
    webnlg_split,
)

__all__ = [
    'LINK_SETS',
    'NODE_SETS',
    'CorruptDatasetError',
    'HopMixture',
    'Limits',
    'LinkGraph',
    'LinkInfo',
    'MoleculeDataset',
    'MoleculeFeatures',
    'MoleculeInfo',
    'MoleculeTable',
    'NodeGraph',
    'NodeInfo',
    'OGBMolDataset',
    'OGBMolInfo',
    'PeptidesFunc',
    'SAMSum',
    'SAMSumEntry',
    'TextFeatures',
    'TripleDataset',
    'TripleFeatures',
    'WebNLGDataset',
    'WebNLGEntry',
    'check_node_graph',
    'from_smiles',
    'graphs_of',
    'import_ogb',
    'load_links',
    'load_nodes',
    'ogb_mol_info',
    'ogb_mol_names',
    'read_table',
    'read_triples',
    'webnlg_dataset_dict',
    'webnlg_split',
]
