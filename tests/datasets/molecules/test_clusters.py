from pathlib import Path

import pytest

from gmoe.datasets import OGBMolDataset
from gmoe.datasets.molecules import clusters as module
from gmoe.datasets.molecules.clusters import clusters
from gmoe.datasets.molecules.molecule import prepare, read

pytest.importorskip('rdkit')


def reference(smiles, similarity):
    """RDKit's own, of a matrix of all distances."""
    from rdkit import DataStructs
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
    from rdkit.ML.Cluster import Butina

    generator = GetMorganGenerator(radius=2, fpSize=2048)
    bits = [generator.GetFingerprint(read(text)) for text in smiles]
    distances = []
    for i in range(1, len(bits)):
        found = DataStructs.BulkTanimotoSimilarity(bits[i], bits[:i])
        distances += [1 - value for value in found]
    found = Butina.ClusterData(
        distances, len(bits), 1 - similarity, isDistData=True
    )
    return sorted(sorted(group) for group in found)


@pytest.mark.parametrize('similarity', [0.2, 0.353, 0.61])
def test_like_rdkit(data_root: Path, monkeypatch, similarity: float):
    monkeypatch.setattr(module, '_ROWS', 50)
    dataset = OGBMolDataset('ogbg-molbbbp', data_root / 'ogb', download=False)
    smiles = [prepare(dataset.smiles(i)).canonical for i in range(120)]
    smiles = list(dict.fromkeys(smiles))
    found = clusters(smiles, similarity)
    assert [group.tolist() for group in found] == reference(smiles, similarity)
    assert len(found) < len(smiles)


def test_copies_are_in_one_cluster():
    found = clusters(['CCO', 'c1ccccc1', 'CCO', '*', '*'])
    assert [group.tolist() for group in found] == [[0, 2], [1], [3, 4]]


def test_too_many(monkeypatch):
    monkeypatch.setattr(module, 'MAX_MOLECULES', 2)
    with pytest.raises(ValueError, match='at most 2 molecules, got 3'):
        clusters(['C', 'CC', 'CCC', 'C'])
