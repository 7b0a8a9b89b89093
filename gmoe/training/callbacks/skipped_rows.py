"""The rows of a table that are left out, beside the run."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from gmoe.datasets.molecules.skipped import write_skipped


class SkippedRows(Callback):
    """Writes ``skipped.csv`` into the run's folder, once a training starts
    on a table of molecules: the row, the SMILES string and the reason of each
    row that is left out.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def on_train_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        data = getattr(trainer, 'datamodule', None)
        skipped = getattr(getattr(data, 'dataset', None), 'skipped', None)
        if skipped is not None and trainer.is_global_zero:
            write_skipped(self.folder / 'skipped.csv', skipped)
