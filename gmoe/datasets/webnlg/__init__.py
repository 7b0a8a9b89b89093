"""WebNLG: small knowledge graphs with a category, as graphs and as text."""

from gmoe.datasets.triples import (
    Features,
    NodeType,
    normalize_node,
    normalize_property,
    triples_to_graph,
)
from gmoe.datasets.webnlg.dataset import WebNLGDataset
from gmoe.datasets.webnlg.holdout import NUM_HOLDOUTS
from gmoe.datasets.webnlg.hub import webnlg_dataset_dict
from gmoe.datasets.webnlg.protocol import (
    CATEGORIES,
    PROTOCOLS,
    Protocol,
    WebNLGSplit,
    webnlg_split,
)
from gmoe.datasets.webnlg.xml import WebNLGEntry, WebNLGText, parse_triple

__all__ = [
    'CATEGORIES',
    'Features',
    'NUM_HOLDOUTS',
    'NodeType',
    'PROTOCOLS',
    'Protocol',
    'WebNLGDataset',
    'WebNLGEntry',
    'WebNLGSplit',
    'WebNLGText',
    'normalize_node',
    'normalize_property',
    'parse_triple',
    'triples_to_graph',
    'webnlg_dataset_dict',
    'webnlg_split',
]
