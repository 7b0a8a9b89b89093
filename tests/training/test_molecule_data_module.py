"""Molecules of a CSV file, for a training."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from gmoe.datasets.molecules import MoleculeFeatures
from gmoe.training import MoleculeDataModule

pytest.importorskip('rdkit')


@pytest.fixture(scope='module')
def freesolv(data_root: Path, tmp_path_factory) -> Path:
    """Some real molecules with a value each."""
    frame = pd.read_csv(data_root / 'ogb/ogbg_molfreesolv/mapping/mol.csv.gz')
    path = tmp_path_factory.mktemp('molecules') / 'freesolv.csv'
    frame.head(120)[['smiles', 'expt']].to_csv(path, index=False)
    return path


def test_values(freesolv: Path, capsys):
    data = MoleculeDataModule(freesolv, batch_size=16, split='random')
    assert (data.task_type, data.eval_metric) == ('regression', 'rmse')
    assert (data.num_tasks, data.num_outputs) == (1, 1)
    assert (data.monitor, data.monitor_mode) == ('val/rmse', 'min')
    assert data.graph_dims is None
    data.prepare_data()
    data.setup()
    said = capsys.readouterr().err
    assert "1 target: ['expt']" in said
    assert "Split 'random' (as asked for): 96 train, 12 valid, 12" in said
    loaders = [data.train_dataloader(), *data.val_dataloader()]
    loaders.append(data.test_dataloader())
    batches = [batch for loader in loaders for batch in loader]
    ids = torch.cat([batch.graph_id for batch in batches])
    assert ids.sort().values.tolist() == list(range(120))
    y = torch.cat([batch.y for batch in batches])
    expected = torch.tensor(pd.read_csv(freesolv)['expt']).float()
    assert torch.equal(y[ids.argsort(), 0], expected)
    assert data.train_targets().shape == (96, 1)
    assert data.molecules['info']['targets'] == ['expt']
    # Once only.
    data.prepare_data()
    data.setup()
    assert not capsys.readouterr().err


def test_features(freesolv: Path, capsys):
    data = MoleculeDataModule(
        freesolv, features=['counts'], log=False, split='random'
    )
    assert data.graph_dims == 2048
    data.setup()
    assert not capsys.readouterr().err
    attr = data.train_graph_attr()
    assert attr.shape == (96, 2048)
    features = MoleculeFeatures.from_dict(data.molecules['info']['features'])
    smiles = [data.dataset.smiles(i) for i in data.splits['train'].tolist()]
    assert torch.equal(attr, torch.from_numpy(features.compute(smiles)))


def test_columns_beside_the_graphs(freesolv: Path, tmp_path: Path):
    frame = pd.read_csv(freesolv)
    frame['T'] = [None, *range(119)]
    frame.to_csv(tmp_path / 'a.csv', index=False)
    data = MoleculeDataModule(
        tmp_path / 'a.csv', feature_columns='T', log=False, split='random'
    )
    assert (data.graph_dims, data.info.targets) == (1, ('expt',))
    assert data.molecules['info']['features']['columns'] == ['T']
    data.setup()
    expected = torch.tensor(frame['T'])[data.splits['train']].float()[:, None]
    assert torch.equal(
        data.train_graph_attr().nan_to_num(-1), expected.nan_to_num(-1)
    )


def test_real_quirks(data_root: Path, tmp_path: Path, capsys):
    lines = (data_root / 'moleculenet/BBBP.csv').read_text().splitlines(True)
    path = tmp_path / 'BBBP.csv'
    path.write_text(''.join(lines[:150]))
    data = MoleculeDataModule(path)
    assert data.info.targets == ('p_np',)
    assert (data.task_type, data.eval_metric) == (
        'binary classification',
        'rocauc',
    )
    data.setup()
    said = capsys.readouterr().err
    assert '147 of 149 molecules are kept' in said
    assert "Split 'scaffold' (the default)" in said
    assert len(data.dataset.skipped) == 2


def test_several_targets(data_root: Path):
    data = MoleculeDataModule(data_root / 'moleculenet/clintox.csv')
    assert data.info.targets == ('FDA_APPROVED', 'CT_TOX')
    assert data.num_outputs == 2


def table(path: Path, **columns: object) -> Path:
    smiles = [f'{"C" * (1 + i // 2)}{"ON"[i % 2]}' for i in range(30)]
    pd.DataFrame({'smiles': smiles, **columns}).to_csv(path, index=False)
    return path


def test_scaffolds_that_do_not_do(tmp_path: Path, capsys):
    """They are all the same here: chains."""
    path = table(tmp_path / 'a.csv', y=[i % 2 for i in range(30)])
    data = MoleculeDataModule(path, cache_dir=tmp_path)
    data.setup()
    assert "'stratified' (instead of 'scaffold'" in capsys.readouterr().err
    for index in data.splits.values():
        assert data.dataset._data.y[index].unique().numel() == 2
    data = MoleculeDataModule(path, cache_dir=tmp_path, split='scaffold')
    with pytest.raises(ValueError, match="'split' must leave molecules"):
        data.setup()


def test_classes(tmp_path: Path):
    path = table(tmp_path / 'a.csv', kind=[*'abc'] * 10)
    data = MoleculeDataModule(path, targets='kind', cache_dir=tmp_path)
    assert data.task_type == 'multiclass classification'
    assert (data.num_outputs, data.eval_metric) == (3, 'accuracy')
    assert data.info.classes == ('a', 'b', 'c')


def test_column_of_parts(tmp_path: Path, capsys):
    y = [0.5 * i for i in range(30)]
    part = ['train'] * 20 + ['valid'] * 5 + ['test'] * 5
    path = table(tmp_path / 'a.csv', y=y, part=part)
    data = MoleculeDataModule(path, split='part', cache_dir=tmp_path)
    data.setup()
    assert data.splits['valid'].tolist() == [20, 21, 22, 23, 24]
    assert "the column 'part': 20 train, 5 valid" in capsys.readouterr().err
    path = table(tmp_path / 'b.csv', y=y, part=['train'] * 30)
    data = MoleculeDataModule(path, split='part', cache_dir=tmp_path)
    data.setup()
    sizes = [data.splits[k].numel() for k in ('train', 'valid', 'test')]
    assert sizes == [27, 3, 0]
    assert torch.cat([*data.splits.values()]).sort().values.tolist() == [
        *range(30)
    ]


def test_what_is_drawn_to_validate_on_depends_on_the_seed(tmp_path: Path):
    y = [0.5 * i for i in range(30)]
    path = table(tmp_path / 'a.csv', y=y, part=['train'] * 25 + ['test'] * 5)
    drawn = []
    for seed in (0, 1, 1):
        data = MoleculeDataModule(
            path, split='part', split_seed=seed, cache_dir=tmp_path, log=False
        )
        data.setup()
        assert data.splits['test'].tolist() == list(range(25, 30))
        drawn.append(data.splits['valid'].tolist())
    assert drawn[0] != drawn[1] == drawn[2]


def test_folds(tmp_path: Path):
    path = table(tmp_path / 'a.csv', y=[0.5 * i for i in range(30)])
    seen = []
    for fold in range(5):
        data = MoleculeDataModule(
            path,
            split='random',
            folds=5,
            fold=fold,
            cache_dir=tmp_path,
            log=False,
        )
        data.setup()
        seen += data.splits['test'].tolist()
    assert sorted(seen) == list(range(30))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'targets': 'z'}, r"'targets' must be a column .*\['smiles', 'y'\]"),
        ({'split': 'z'}, "'split' must be one of .*'scaffold'.*, or a column"),
        ({'eval_metric': 'z'}, "'eval_metric' must be one of"),
        ({'fold': -1}, "'fold' must be an integer"),
        ({'split': 'y', 'folds': 5}, "'folds' be left out .* 'y'"),
        ({'split': 'k-fold', 'folds': 5}, "'split' must be .* 'k-fold'"),
        ({'task': 'ranking'}, "'task'"),
        ({'features': []}, "'features' must be a list"),
        ({'batch_size': 0}, "'batch_size' must be"),
    ],
)
def test_refusals(arguments: dict, message: str, tmp_path: Path):
    path = table(tmp_path / 'a.csv', y=[0.5 * i for i in range(30)])
    with pytest.raises(ValueError, match=message):
        MoleculeDataModule(path, cache_dir=tmp_path, **arguments)
