"""What a checkpoint keeps of the molecules that a network was trained on."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from lightning.pytorch import Trainer

from gmoe.training import GraphPredictor, MoleculeDataModule
from gmoe.training.kept_molecules import info_of

pytest.importorskip('rdkit')


def table(path: Path, name: str) -> Path:
    smiles = [f'{"C" * (1 + i // 2)}{"ON"[i % 2]}' for i in range(30)]
    y = [0.5 * i for i in range(30)]
    pd.DataFrame({'smiles': smiles, name: y}).to_csv(path, index=False)
    return path


def make(path: Path) -> tuple[Trainer, GraphPredictor, MoleculeDataModule]:
    trainer = Trainer(
        accelerator='cpu',
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data = MoleculeDataModule(
        path, split='random', cache_dir=path.parent, log=False
    )
    model = GraphPredictor(
        'molecules', 'regression', 'rmse', hidden_channels=8, num_layers=1
    )
    return trainer, model, data


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    trainer, model, data = make(table(tmp_path / 'a.csv', 'logS'))
    trainer.fit(model, data)
    path = tmp_path / 'a.ckpt'
    trainer.save_checkpoint(path)
    return path


def test_kept(saved: Path, tmp_path: Path):
    kept = torch.load(saved, weights_only=True)['molecules']
    assert info_of(kept).targets == ('logS',)
    model = GraphPredictor.load_from_checkpoint(saved)
    assert model.molecules == kept
    # It stays, without the data.
    checkpoint: dict = {'state_dict': {}}
    model.on_save_checkpoint(checkpoint)
    assert checkpoint['molecules'] == kept
    trainer, model, data = make(table(tmp_path / 'b.csv', 'logS'))
    trainer.test(model, data, ckpt_path=saved, weights_only=True)
    assert trainer.callback_metrics['test/rmse'] > 0


def test_other_targets(saved: Path, tmp_path: Path):
    trainer, model, data = make(table(tmp_path / 'b.csv', 'logP'))
    with pytest.raises(ValueError, match=r"'targets' of the data .*'logS'"):
        trainer.test(model, data, ckpt_path=saved, weights_only=True)


@pytest.mark.parametrize('kept', [[], {}, {'info': 3}, {'info': {}}])
def test_distrusted(kept: object):
    with pytest.raises(ValueError, match='settings must'):
        info_of(kept)
