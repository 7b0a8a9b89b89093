"""Checkpoints that are written as a whole."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from gmoe.common.files import remove_stale, replacing


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place and then moves it there, so that
    there is a whole one at each moment, whatever stops the process.

    Lightning's own way writes it into the folder of temporary files, from
    where it is copied if that is on another disk.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any | None = None,
    ) -> None:
        path = Path(path)
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_stale(path.parent)
            with replacing(path) as file:
                file.write(buffer.getbuffer())
        except OSError as error:
            code = error.errno or errno.EIO
            raise OSError(code, os.strerror(code), str(path)) from error
