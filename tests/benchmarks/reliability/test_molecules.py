from pathlib import Path

import pytest

pytest.importorskip('rdkit')

from benchmarks.reliability.molecules import NAMES, again, main, spellings
from gmoe.datasets import OGBMolDataset


@pytest.fixture
def dataset(data_root: Path) -> OGBMolDataset:
    return OGBMolDataset('ogbg-molesol', data_root / 'ogb', download=False)


def test_molecules_are_made_again(dataset: OGBMolDataset):
    counts = again(dataset, every=20, num_workers=0)
    assert counts['molecules'] == 57
    assert counts['same'] >= 56


def test_differences_are_counted(dataset: OGBMolDataset):
    part = dataset.copy([0, 1, 2])
    part.name = dataset.name
    part._data.x = part._data.x.clone()
    part._data.x[0, 1] += 1
    part._data.edge_attr = part._data.edge_attr.clone()
    part._data.edge_attr[-1, 1] = 4
    part._data.edge_attr[-2, 1] = 4
    part._data_list = None
    counts = again(part, num_workers=0)
    assert counts == {
        'molecules': 3,
        'other chirality, as OGB has it with this RDKit': 1,
        'same': 1,
        'other bond, as OGB has it with this RDKit': 1,
    }


def test_spellings():
    smiles = ['CCO', 'C[C@@H](O)[C@H](N)C(=O)O', 'C/C=C/C', '[Na+].[Cl-]']
    counts = spellings(smiles, 10)
    assert counts == {'molecules': 3, 'one graph': 3}


def test_all_datasets_are_looked_at(
    data_root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    name = 'ogbg-molfreesolv'
    assert name in NAMES
    monkeypatch.setattr('benchmarks.reliability.molecules.NAMES', (name,))
    main(data_root / 'ogb', every=50, drawn=2, num_workers=0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{name}: {{'molecules': 13, 'same': 1")
    assert len(lines) == 2
