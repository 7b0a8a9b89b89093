"""Checkpoints of one training in one folder."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gmoe.common.files import lock, replace_text
from gmoe.common.shown import shown
from gmoe.text.old_names import OLD_NAMES

#: What the checkpoints in a folder are of.
NAME = 'training.json'

_STATE = 'trainer_state.json'
_MOST_BYTES = 1 << 26


@contextmanager
def training_folder(
    checkpoints: str | Path | None, training: Callable[[], dict[str, Any]]
) -> Iterator[tuple[str, str | None]]:
    """The folder that a Trainer writes to.

    Args:
        checkpoints: A folder that keeps checkpoints, ``~`` being the home;
            without one, what is written goes in the end.
        training: Gives what the training's result depends on, for
            :func:`checkpoints_of`.

    Yields:
        The folder, and the checkpoint from which to go on, if any.

    Raises:
        ValueError: If the folder holds another training, or another process
            trains in it.
    """
    if checkpoints is None:
        with tempfile.TemporaryDirectory(prefix='gmoe-text-') as unused:
            yield unused, None
        return
    folder = Path(checkpoints).expanduser().absolute()
    with checkpoints_of(folder, training()) as last:
        yield str(folder), last


@contextmanager
def checkpoints_of(
    folder: Path, training: dict[str, Any]
) -> Iterator[str | None]:
    """Keeps a folder for one training, and finds where that stopped.

    The fingerprint of the training lies beside its checkpoints, in
    :data:`NAME`. A folder with checkpoints of another one is refused, so that
    two are never mixed.

    Args:
        folder: The folder, which is made where it is missing.
        training: Everything that the training's result depends on.

    Yields:
        The last checkpoint that is whole; :obj:`None` to begin.

    Raises:
        ValueError: If the folder holds another training, or another process
            trains in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            "'checkpoints' must be a folder that can be written to, got "
            f"'{folder}': {error}"
        ) from error
    # As it is after a round trip, in which tuples become lists.
    training = json.loads(json.dumps(training, default=str, sort_keys=True))
    with _locked(folder):
        last = last_checkpoint(folder)
        if last is not None:
            _check_same(folder, training)
        text = json.dumps(training, indent=1) + '\n'
        # Whole or not at all: a half would refuse what is its own.
        replace_text(folder / NAME, text)
        yield None if last is None else str(last)


def last_checkpoint(folder: Path) -> Path | None:
    """The last checkpoint that was written to its end.

    Args:
        folder: The folder of transformers' checkpoints.
    """
    found = []
    for path in folder.glob('checkpoint-*'):
        step = path.name.removeprefix('checkpoint-')
        # The state is what the Trainer writes last.
        state = _read(path / _STATE)
        if step.isdecimal() and (state or {}).get('global_step') == int(step):
            found.append((int(step), path))
    return max(found)[1] if found else None


def digest(parts: Iterable[Any]) -> str:
    """A short fingerprint of values.

    Args:
        parts: Tensors, or what JSON can hold.
    """
    whole = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            whole.update(f'{part.dtype}{list(part.shape)}'.encode())
            data = part.detach().cpu().contiguous().flatten()
            whole.update(data.view(torch.uint8).numpy().tobytes())
        else:
            whole.update(json.dumps(part, default=str).encode())
        whole.update(b'\n')
    return whole.hexdigest()[:32]


def model_settings(config: dict[str, Any]) -> dict[str, Any]:
    """The settings of a model without where it came from and what its
    categories are called.

    Args:
        config: The configuration, as a dictionary.
    """
    left_out = {'_name_or_path', 'architectures', 'transformers_version'}
    left_out |= {'id2label', 'label2id', 'base_model_name_or_path'}
    return {
        key: _settings(value)
        for key, value in config.items()
        if key not in left_out
    }


def _settings(value: Any) -> Any:
    if isinstance(value, dict):
        return model_settings(value)
    # The order of a set is another one in each process.
    return sorted(value, key=str) if isinstance(value, set) else value


def _check_same(folder: Path, training: dict[str, Any]) -> None:
    wanted = "'checkpoints' must be a folder for this training alone"
    known = _read(folder / NAME)
    if known is None:
        raise ValueError(
            f"{wanted}, got '{folder}', whose checkpoints do not say what "
            f'they are of: there is no {NAME} that can be read'
        )
    for old, name in OLD_NAMES.items():  # Of earlier versions.
        if f'model.{old}' in known:
            known[f'model.{name}'] = known.pop(f'model.{old}')
    other = [
        f'{name!r} is {shown(known.get(name))} there and '
        f'{shown(training.get(name))} here'
        for name in sorted({*known, *training})
        if known.get(name) != training.get(name)
    ]
    if other:
        more = f', and {len(other) - 5} more differ' if len(other) > 5 else ''
        raise ValueError(
            f"{wanted}, got '{folder}', which holds checkpoints of another: "
            f'{"; ".join(other[:5])}{more}'
        )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        value = json.loads(path.read_text('utf-8'))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    # The processes of one distributed training share their folder.
    is_shared = int(os.environ.get('WORLD_SIZE', '1')) > 1
    if is_shared or os.name == 'nt':  # There, folders cannot be opened.
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if lock(descriptor, folder) is False:
            raise ValueError(
                "'checkpoints' must be a folder that no other process trains "
                f"in, got '{folder}'"
            )
        yield
    finally:
        os.close(descriptor)
