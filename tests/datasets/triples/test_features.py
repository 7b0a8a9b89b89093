from pathlib import Path

import pytest
import torch

from gmoe.datasets.triples.features import TextFeatures
from gmoe.datasets.triples.hashed import hashed_features

TEXTS = ['Aarhus Airport', 'Aarhus', 'birth place', '', 'aarhus airport']


def test_tables_of_settings(tmp_path: Path):
    for dim, ngrams in [(8, (3, 5)), (8, (3, 4)), (16, (3, 5)), (8, (3, 5))]:
        features = TextFeatures('hashed', dim, ngrams, None, tmp_path)
        expected = hashed_features(TEXTS, dim, ngrams)
        assert torch.equal(features.table(TEXTS), expected)
    assert len(list((tmp_path / 'texts').iterdir())) == 3


def test_features_raise(tmp_path: Path):
    with pytest.raises(ValueError, match='features'):
        TextFeatures('bert', 8, (3, 5), None, tmp_path)
    with pytest.raises(ValueError, match='encoder'):
        TextFeatures('encoder', 8, (3, 5), None, tmp_path)
