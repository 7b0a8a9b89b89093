"""Advertisements and warnings of Lightning that a run leaves out."""

from __future__ import annotations

import logging
import warnings

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
    r"LightningCLI's args parameter is intended to run from within Python",
    r'Checkpoint directory .* exists and is not empty',
    r"The '\w+' does not have many workers",
)


def be_quiet() -> None:
    """Leaves out advertisements, and warnings of Lightning about its own
    code and about batches that are few or quick."""
    logging.getLogger(_LOGGER).addFilter(
        lambda record: not record.getMessage().startswith(_TIP)
    )
    for message in _WARNINGS:
        warnings.filterwarnings('ignore', message)
