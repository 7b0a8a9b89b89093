import copy
import multiprocessing
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from gmoe.datasets import CorruptDatasetError, OGBMolDataset
from gmoe.datasets.ogb.info import import_ogb
from gmoe.transforms import TwoHop
from tests.conftest import contents


def files(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob('*')
        if path.is_file() and not path.name.endswith('.csv.gz')
    )


def test_ogb_mol_dataset(root: Path):
    dataset = OGBMolDataset('ogbg-moltox21', root)
    assert str(dataset) == 'OGBMolDataset(3)'
    assert len(dataset) == 3
    assert dataset.num_tasks == 12
    assert dataset.num_classes == 2
    assert dataset.task_type == 'binary classification'
    assert dataset.eval_metric == 'rocauc'
    assert dataset.num_features == 9

    data = dataset[0]
    assert set(data.keys()) == {
        'x',
        'edge_index',
        'edge_attr',
        'y',
        'graph_id',
    }
    assert data.x.dtype == data.edge_attr.dtype == torch.long
    assert data.edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert data.edge_attr.tolist() == [[0, 0, 0]] * 2 + [[1, 0, 1]] * 2
    assert data.y.shape == (1, 12)
    assert data.y.dtype == torch.float
    assert dataset[1].num_nodes == 1
    assert dataset[1].edge_index.shape == (2, 0)
    assert dataset[2].graph_id.tolist() == [2]
    assert dataset.get_idx_split()['valid'].tolist() == [2]

    batch = next(iter(DataLoader(dataset, batch_size=3)))
    assert batch.graph_id.tolist() == [0, 1, 2]
    assert batch.y.shape == (3, 12)
    batch.validate()


def test_ogb_mol_dataset_smiles(root: Path):
    dataset = OGBMolDataset('ogbg-moltox21', str(root))
    assert [dataset.smiles(i) for i in range(3)] == ['CCO', 'NA', 'C,C']
    part = dataset[dataset.get_idx_split()['valid']]
    assert part.smiles(0) == 'C,C'
    assert part[0].graph_id.tolist() == [2]
    with pytest.raises(IndexError):
        part.smiles(1)
    for idx, error in [('a', TypeError), (None, TypeError), (3, IndexError)]:
        with pytest.raises(error, match=f"'idx' must be.* got {idx!r}"):
            dataset.smiles(idx)

    path = root / 'ogbg_moltox21' / 'mapping' / 'mol.csv.gz'
    other = path.parents[1] / 'split' / 'scaffold' / 'test.csv.gz'
    path.write_bytes(other.read_bytes())
    with pytest.raises(CorruptDatasetError, match="column 'smiles'"):
        OGBMolDataset('ogbg-moltox21', root).smiles(0)
    path.unlink()
    with pytest.raises(FileNotFoundError, match='mol.csv.gz'):
        OGBMolDataset('ogbg-moltox21', root).smiles(0)


def test_ogb_mol_dataset_copy_of_a_part(root: Path):
    dataset = OGBMolDataset('ogbg-moltox21', root)
    for part in (
        dataset[[2, 0]].copy(),
        dataset.copy([2, 0]),
        dataset[[2, 0]],
    ):
        assert [part.smiles(i) for i in range(2)] == ['C,C', 'CCO']
        assert part.graph_ids.tolist() == [2, 0]
        split = part.get_idx_split()
        assert {key: index.tolist() for key, index in split.items()} == {
            'train': [1],
            'valid': [0],
            'test': [],
        }
        with pytest.raises(IndexError):
            part.smiles(2)
    again = dataset[[2, 0]].copy()[[1]].copy()
    assert again.smiles(0) == 'CCO'
    assert again.get_idx_split()['train'].tolist() == [0]


def test_ogb_mol_dataset_transform_and_pyg_folder(root: Path):
    (root / 'ogbg_moltox21').rename(root / 'ogbg_moltox21_pyg')
    dataset = OGBMolDataset(
        'ogbg-moltox21', root, transform=TwoHop(), download=False
    )
    assert dataset[0].edge_index_2hop.tolist() == [[0, 2], [2, 0]]


def test_ogb_mol_dataset_of_one_graph(
    tmp_path: Path,
    write_dataset: Callable[..., Path],
):
    folder = write_dataset(
        tmp_path / 'ogbg_moltox21',
        **{
            'raw/num-node-list': ['6'],
            'raw/num-edge-list': ['3'],
            'raw/graph-label': ['0' + ',' * 11],
        },
    )
    dataset = OGBMolDataset('ogbg-moltox21', folder.parent)
    assert len(dataset) == 1
    assert dataset[0].num_nodes == 6
    assert dataset[0].y.shape == (1, 12)


def test_ogb_mol_dataset_cache(
    root: Path,
    write_dataset: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
):
    first = OGBMolDataset('ogbg-moltox21', root)
    assert files(root) == ['ogbg_moltox21/processed/gmoe.pt']
    with monkeypatch.context() as context:
        context.setattr('gmoe.datasets.ogb.molecules.parse_raw', None)
        cached = OGBMolDataset('ogbg-moltox21', root)
    for i in range(3):
        for key, value in first[i].to_dict().items():
            assert cached[i][key].dtype == value.dtype
            assert torch.equal(
                cached[i][key].nan_to_num(7), value.nan_to_num(7)
            )

    # Other raw files, other content.
    write_dataset(root / 'ogbg_moltox21', **{'raw/edge-feat': ['2,2,0'] * 3})
    dataset = OGBMolDataset('ogbg-moltox21', root)
    assert dataset[0].edge_attr.tolist() == [[2, 2, 0]] * 4


def test_ogb_mol_dataset_read_only_folder(root: Path, tmp_path: Path):
    folder = root / 'ogbg_moltox21'
    folder.chmod(0o555)
    OGBMolDataset('ogbg-moltox21', root, cache_dir=tmp_path / 'cache')
    OGBMolDataset('ogbg-moltox21', root, cache_dir=tmp_path / 'cache')
    assert files(root) == []
    assert len(files(tmp_path / 'cache')) == 1
    folder.chmod(0o755)


@pytest.mark.parametrize('how', ['argument', 'environment'])
def test_ogb_mol_dataset_given_cache_dir(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
):
    OGBMolDataset('ogbg-moltox21', root)
    cache = tmp_path / 'cache'
    kwargs = {'cache_dir': cache}
    if how == 'environment':
        monkeypatch.setenv('GMOE_CACHE_DIR', str(cache))
        kwargs = {}
    leftover = root / f'.ogbg_moltox21-{"0" * 8}.part'
    leftover.write_text('')
    os.utime(leftover, (0, 0))
    before = contents(root)
    OGBMolDataset('ogbg-moltox21', root, **kwargs)
    shutil.rmtree(root / 'ogbg_moltox21' / 'processed')
    before = contents(root)
    dataset = OGBMolDataset('ogbg-moltox21', root, **kwargs)
    assert dataset.get_idx_split()['valid'].tolist() == [2]
    assert dataset.smiles(0) == 'CCO'
    assert contents(root) == before
    assert len(files(cache)) == 1
    with monkeypatch.context() as context:
        context.setattr('gmoe.datasets.ogb.molecules.parse_raw', None)
        OGBMolDataset('ogbg-moltox21', root, **kwargs)

    monkeypatch.delenv('GMOE_CACHE_DIR', raising=False)
    OGBMolDataset('ogbg-moltox21', root)
    assert not leftover.exists()


def test_ogb_mol_dataset_corrupt_file(root: Path, tmp_path: Path):
    path = root / 'ogbg_moltox21' / 'raw' / 'edge.csv.gz'
    OGBMolDataset('ogbg-moltox21', root)
    path.write_bytes(path.read_bytes()[:-9])
    (root / 'ogbg_moltox21' / 'processed' / 'gmoe.pt').unlink()
    with pytest.raises(CorruptDatasetError, match='edge.csv.gz'):
        OGBMolDataset('ogbg-moltox21', root, cache_dir=tmp_path / 'cache')
    assert files(root) == []
    assert not (tmp_path / 'cache').exists()


def test_ogb_mol_dataset_missing(tmp_path: Path):
    with pytest.raises(ValueError, match="'ogbg-molhiv'.*'ogbg-molhi'"):
        OGBMolDataset('ogbg-molhi', tmp_path)
    with pytest.raises(FileNotFoundError, match="'ogbg_molhiv'.*hiv.zip"):
        OGBMolDataset('ogbg-molhiv', tmp_path, download=False)
    assert list(tmp_path.iterdir()) == []

    (tmp_path / 'ogbg_molhiv' / 'raw').mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match='num-node-list.csv.gz'):
        OGBMolDataset('ogbg-molhiv', tmp_path)


def test_ogb_mol_dataset_in_many_processes(root: Path):
    def use() -> None:
        for _ in range(20):
            dataset = OGBMolDataset('ogbg-moltox21', root)
            assert len(dataset) == 3
            assert dataset[2].edge_attr[0, 1] == 5
            path = Path(dataset.root) / 'processed' / 'gmoe.pt'
            path.unlink(missing_ok=True)
        OGBMolDataset('ogbg-moltox21', root)

    fork = multiprocessing.get_context('fork')
    processes = [fork.Process(target=use) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    assert files(root) == ['ogbg_moltox21/processed/gmoe.pt']


@pytest.mark.parametrize('name', ['ogbg-molbbbp', 'ogbg-molfreesolv'])
def test_ogb_mol_dataset_equals_ogb(data_root: Path, name: str):
    dataset = OGBMolDataset(name, data_root / 'ogb', download=False)
    read = import_ogb('ogb.io.read_graph_pyg').read_graph_pyg
    expected = read(dataset.raw_dir, add_inverse_edge=True)
    assert len(dataset) == len(expected)
    for i, data in enumerate(dataset):
        assert data.num_nodes == expected[i].num_nodes
        for key in ['x', 'edge_index', 'edge_attr']:
            assert data[key].dtype == expected[i][key].dtype
            assert torch.equal(data[key], expected[i][key])


def test_ogb_mol_dataset_hiv(data_root: Path, tmp_path: Path):
    before = contents(data_root / 'ogb' / 'ogbg_molhiv')
    dataset = OGBMolDataset(
        'ogbg-molhiv', data_root / 'ogb', cache_dir=tmp_path, download=False
    )
    assert len(files(tmp_path)) == 1
    data = dataset._data
    assert data.x.size(0) == 1_049_163
    assert data.edge_index.size(1) == 2_259_376
    assert int(data.y.sum()) == 1443
    split = dataset.get_idx_split()
    assert [len(index) for index in split.values()] == [32901, 4113, 4113]

    sizes = dataset.slices['x'].diff()
    small = [dataset[i] for i in (sizes < 5).nonzero().view(-1).tolist()]
    assert len(small) == 12
    batch = TwoHop()(Batch.from_data_list(copy.copy(small)))
    assert batch.num_graphs == 12
    assert contents(data_root / 'ogb' / 'ogbg_molhiv') == before


def test_ogb_mol_dataset_labels(data_root: Path):
    dataset = OGBMolDataset('ogbg-moltox21', data_root / 'ogb', download=False)
    y = dataset._data.y
    assert y.shape == (7831, 12)
    assert y.isnan().any()
    assert set(y[~y.isnan()].unique().tolist()) == {0.0, 1.0}
    dataset = OGBMolDataset('ogbg-molesol', data_root / 'ogb', download=False)
    assert dataset[0].y.item() == pytest.approx(-0.77)
    assert dataset.eval_metric == 'rmse'
    sizes = dataset.slices['x'].diff()
    assert int(sizes.min()) == 1
    assert dataset[int(sizes.argmin())].edge_index.shape == (2, 0)
