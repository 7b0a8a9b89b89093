"""What a training on molecules, nodes or links ends with: its scores, and what
is next."""

from __future__ import annotations

import shlex

from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only

from gmoe.training.link_data_module import LinkDataModule
from gmoe.training.molecule_data_module import MoleculeDataModule
from gmoe.training.node_data_module import NodeDataModule
from gmoe.training.ogb_mol_data_module import OGBMolDataModule
from gmoe.training.run_dir import RunDir


def finish_fit(
    trainer: Trainer,
    model: LightningModule,
    data: LightningDataModule,
    run_dir: RunDir,
) -> None:
    """Scores the test part of a table of molecules, or of a graph's nodes or
    links, by the selected epoch, and prints where the run is and how to
    predict with it.

    Args:
        trainer: The trainer, which has finished.
        model: The network.
        data: The data; of others than molecules, nodes and links, nothing is
            said.
        run_dir: The run's folder.
    """
    best = getattr(trainer.checkpoint_callback, 'best_model_path', '')
    if not best:
        return
    if isinstance(data, LinkDataModule | MoleculeDataModule | NodeDataModule):
        if data.score_test and data.splits['test'].numel():
            trainer.test(
                model, datamodule=data, ckpt_path=best, weights_only=True
            )
    elif not isinstance(data, OGBMolDataModule):
        return
    # A member of an ensemble is moved once it is trained.
    if not run_dir.path.parent.name.startswith('training_'):
        folder = shlex.quote(str(run_dir.path))
        command = f'{folder} new.csv'
        if isinstance(data, LinkDataModule | NodeDataModule):
            command = f'--config {folder}/config.yaml --ckpt_path best'
        _say(str(run_dir.path), command)


@rank_zero_only
def _say(folder: str, command: str) -> None:
    print(f'The run is in {folder}')
    print(f'Predict with it: gmoe predict {command}')
