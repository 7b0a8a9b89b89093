"""Checkpoints as files, which are read with distrust."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gmoe.common.outline import outline, too_large
from gmoe.common.shown import one_line, shown

#: What a checkpoint has to hold, and of what type it is.
_PARTS = {'state_dict': dict, 'hyper_parameters': dict, 'epoch': int}
#: What it has to hold, too, for a training to go on from it.
_TRAINING = ('optimizer_states', 'lr_schedulers', 'loops', 'callbacks')


def read_checkpoint(path: str | Path, resume: bool = False) -> dict[str, Any]:
    """Reads a checkpoint that may come from anywhere.

    No code that a file holds is run, no part of it takes more memory than
    the file has bytes, and each part has to agree with its check sum.

    Args:
        path: The file.
        resume: Whether a training is to go on from it.

    Returns:
        The checkpoint, with its tensors in main memory.

    Raises:
        ValueError: If the file is not a checkpoint of ``gmoe fit``, or is
            damaged.
    """
    problem = archive_damage(path)
    if problem is None:
        try:
            checkpoint = torch.load(path, 'cpu', weights_only=True)
        except Exception as error:  # Of many kinds, by what is wrong.
            line = str(error).strip().split('\n')[0][:60]
            problem = f'it cannot be read: {line or type(error).__name__}'
        else:
            problem = _missing(checkpoint, resume)
    if problem is not None:
        raise ValueError(
            "'ckpt_path' must be a checkpoint that 'gmoe fit' has written, "
            f"got '{path}': {problem}"
        )
    return checkpoint


def archive_damage(path: str | Path) -> str | None:
    """What is wrong with an archive of PyTorch, if something is, before it is
    read: a compressed part, say, may take any memory.

    Args:
        path: The file.
    """
    try:
        size = os.path.getsize(path)
        if size == 0:
            return 'it is empty'
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if any(m.compress_type != zipfile.ZIP_STORED for m in members):
                return 'its parts are compressed'
            if sum(member.file_size for member in members) > size:
                return 'its parts are larger than it is'
            broken = archive.testzip()
    except OSError as error:
        return error.strerror or 'it cannot be read'
    except (
        ValueError,
        EOFError,
        NotImplementedError,
        RuntimeError,  # It claims to be encrypted.
        zipfile.BadZipFile,
        zlib.error,
    ):
        return 'it is no archive of PyTorch, or is cut off'
    return None if broken is None else f"'{broken[:60]}' is damaged"


def _missing(checkpoint: Any, resume: bool) -> str | None:
    if not isinstance(checkpoint, dict):
        return f'it holds a {type(checkpoint).__name__}'
    for name, kind in _PARTS.items():
        if not isinstance(checkpoint.get(name), kind):
            return f"it has no '{name}'"
    if not checkpoint['hyper_parameters']:
        return "its 'hyper_parameters' are empty"
    for name in _TRAINING if resume else ():
        if name not in checkpoint:
            return f"it has no '{name}' for a training to go on"
    return None


def check_size(
    make: type[torch.nn.Module],
    arguments: Mapping[str, Any],
    checkpoint: dict[str, Any],
    path: str | Path,
) -> None:
    """Checks that a module would be no larger than its weights, before it
    takes memory.

    Args:
        make: The class.
        arguments: Its arguments, which may come from anywhere.
        checkpoint: What :func:`read_checkpoint` returns.
        path: The checkpoint's file.

    Raises:
        ValueError: If it does not take the arguments, or has other weights.
    """
    key = too_large(arguments, checkpoint['state_dict'])
    if key is not None:
        raise ValueError(
            "'ckpt_path' must be a checkpoint with weights for its settings, "
            f"got '{path}' with '{key}' {shown(arguments[key])}"
        )
    try:
        expected = outline(make, arguments)
    except Exception as error:  # Of many kinds, by what is wrong.
        raise ValueError(
            f"'ckpt_path' must be a checkpoint of {make.__name__}, got "
            f"'{path}': its settings are none of this version: "
            f'{one_line(error, 200)}'
        ) from error
    check_weights(expected, checkpoint, path)


def check_weights(
    module: torch.nn.Module, checkpoint: dict[str, Any], path: str | Path
) -> None:
    """Compares the names and shapes of weights with those of a module.

    Args:
        module: The module that is to have the weights.
        checkpoint: What :func:`read_checkpoint` returns.
        path: The checkpoint's file.

    Raises:
        ValueError: If they are not the same.
    """
    expected, found = module.state_dict(), checkpoint['state_dict']
    for name in [*expected, *found]:
        a, b = _shape(expected.get(name)), _shape(found.get(name))
        if a != b:
            raise ValueError(
                f"'ckpt_path' must be a checkpoint of "
                f"{type(module).__name__} with '{str(name)[:60]}' of shape "
                f"{a}, got '{path}' with shape {b}"
            )


def _shape(value: Any) -> list[int] | None:
    return list(value.shape) if isinstance(value, Tensor) else None
