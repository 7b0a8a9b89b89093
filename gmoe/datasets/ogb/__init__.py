"""OGB's molecule sets, and molecules of one's own in their form."""

from gmoe.datasets.ogb.info import (
    OGBMolInfo,
    import_ogb,
    ogb_mol_info,
    ogb_mol_names,
)
from gmoe.datasets.ogb.molecules import OGBMolDataset
from gmoe.datasets.ogb.smiles import from_smiles

__all__ = [
    'OGBMolDataset',
    'OGBMolInfo',
    'from_smiles',
    'import_ogb',
    'ogb_mol_info',
    'ogb_mol_names',
]
