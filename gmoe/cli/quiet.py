"""Advertisements and warnings of Lightning that a run leaves out."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from gmoe.common.shown import one_line

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
    r"Couldn't infer the batch indices fetched from your dataloader",
)


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Shows a warning of gmoe as one line, without the code that warns."""
    package = Path(__file__).parents[1]
    with warnings.catch_warnings():
        show = warnings.showwarning

        def showwarning(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if Path(filename).is_relative_to(package):
                text = one_line(message, 1000)
                print(f'gmoe: warning: {text}', file=sys.stderr)
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = showwarning
        yield


def be_quiet() -> None:
    """Leaves out advertisements, and warnings of Lightning about its own
    code and about batches that are few or quick."""
    logging.getLogger(_LOGGER).addFilter(
        lambda record: not record.getMessage().startswith(_TIP)
    )
    for message in _WARNINGS:
        warnings.filterwarnings('ignore', message)
