"""Datasets that yield ordinary PyG data objects."""

from gmoe.datasets._raw import CorruptDatasetError
from gmoe.datasets.hop_mixture import HopMixture
from gmoe.datasets.ogb_mol import OGBMolDataset

__all__ = ['CorruptDatasetError', 'HopMixture', 'OGBMolDataset']
