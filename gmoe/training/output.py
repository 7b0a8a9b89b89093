"""What a run prints, and what it leaves out."""

from __future__ import annotations

import logging
import warnings

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info

#: Where Lightning prints what one process of a run says for all.
_LOGGER = 'lightning.pytorch.utilities.rank_zero'
#: Advertisements, by how they start.
_TIP = '💡 Tip: For seamless '
#: Of Lightning about itself, and of no use to who runs gmoe.
_WARNINGS = (
    r'`isinstance\(treespec, LeafSpec\)` is deprecated',
    r'\s*``ArgumentParser\.add_instantiator`` was deprecated',
    r'\s*``instantiate_classes`` was deprecated',
    r'\s*skip_none parameter was deprecated',
    r'The number of training batches \(\d+\) is smaller than the logging',
    r'Checkpoint directory .* exists and is not empty',
    r"The '\w+' does not have many workers",
)


def be_quiet() -> None:
    """Leaves out advertisements, and warnings of Lightning about its own
    code and about batches that are few or quick."""
    logging.getLogger(_LOGGER).addFilter(_is_no_tip)
    for message in _WARNINGS:
        warnings.filterwarnings('ignore', message)


def _is_no_tip(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_TIP)


class ParameterCount(Callback):
    """Prints how many parameters a network has before it is trained."""

    def on_fit_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        sizes = [
            (parameter.numel(), parameter.requires_grad)
            for parameter in pl_module.parameters()
        ]
        total = sum(size for size, _ in sizes)
        trained = sum(size for size, is_trained in sizes if is_trained)
        rank_zero_info(
            f'{type(pl_module).__name__}: {total:,} parameters, {trained:,} '
            'of them trained'
        )
