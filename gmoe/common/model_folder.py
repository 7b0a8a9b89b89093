"""Folders of trained networks, which are read with distrust.

Such a folder has the names of files that the Hugging Face hub knows: settings
in ``config.json``, numbers in ``model.safetensors``, a model card in
``README.md``. Neither of them can run code when it is read. A pickle, as
``pytorch_model.bin`` is one, could: a folder that holds one is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from gmoe.common.files import replace_text, replacing
from gmoe.common.outline import outline, too_large
from gmoe.common.require import require
from gmoe.common.shown import one_line, shown

Module = TypeVar('Module', bound=torch.nn.Module)

CONFIG = 'config.json'
WEIGHTS = 'model.safetensors'
CARD = 'README.md'

#: The version of the layout that is written, and the newest that is read.
FORMAT = 1
#: What no folder needs, so that a file of anyone cannot fill the memory.
MOST_CONFIG_BYTES = 1 << 20
MOST_WEIGHT_BYTES = 1 << 32
MOST_TENSORS = 10_000

_PICKLES = ('.bin', '.ckpt', '.joblib', '.pickle', '.pkl', '.pt', '.pth')


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Writes settings, with the version of their layout.

    Args:
        folder: The folder.
        config: The settings: what JSON can hold.

    Raises:
        ValueError: If a setting is something else.
    """
    config = {'format': FORMAT, **config}
    text = json.dumps(plain(config), indent=2, allow_nan=False)
    replace_text(folder / CONFIG, f'{text}\n')


def plain(value: Any, name: str = 'config') -> Any:
    """A value as JSON has it: tuples become lists.

    Args:
        value: The value.
        name: Its name, for the message.

    Raises:
        ValueError: If it is no number, text, list or dictionary.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Mapping):
        return {str(k): plain(v, f'{name}.{k}') for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v, f'{name}[{i}]') for i, v in enumerate(value)]
    if hasattr(value, 'item'):  # Of numpy or PyTorch.
        value = value.item()
    if isinstance(value, (int, float)):
        return value
    raise ValueError(
        f"'{name}' must be a number, a text, or a list or dictionary of "
        f'them to be saved, got {shown(value)}'
    )


def read_config(folder: Path, name: str = 'source') -> dict[str, Any]:
    """Reads the settings of a folder.

    Args:
        folder: The folder.
        name: What the argument is called that gives it.

    Raises:
        ValueError: If there are none, they cannot be read, a newer version
            of gmoe has written them, or there is a pickle beside them.
    """
    pickle = _pickle(folder)
    if pickle is not None:
        reason = f'{shown(pickle)} is a pickle, which can run any code'
        raise refused(folder, name, reason)
    path = _bounded(folder, CONFIG, MOST_CONFIG_BYTES, name)
    try:
        config = json.loads(path.read_text('utf-8'))
    except (ValueError, RecursionError) as error:
        reason = one_line(error)
        raise refused(
            folder, name, f'its {CONFIG} is no JSON: {reason}'
        ) from error
    number = config.get('format') if isinstance(config, dict) else None
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise refused(
            folder,
            name,
            f"its {CONFIG} has no 'format', the version of the layout: gmoe "
            'has not written it',
        )
    if number > FORMAT:
        version = one_line(config.get('gmoe_version', 'a newer version'), 20)
        raise refused(
            folder,
            name,
            f'gmoe {version} has written it in format {number}, this one '
            f"reads up to {FORMAT}: pip install -U 'gmoe'",
        )
    return config


def arguments_of(
    config: Mapping[str, Any], model: str, folder: Path, name: str = 'source'
) -> dict[str, Any]:
    """The arguments of the class that a folder is of.

    Args:
        config: What :func:`read_config` returns.
        model: The name of the class.
        folder: The folder.
        name: What the argument is called that gives it.

    Raises:
        ValueError: If it is of another class, or has no arguments.
    """
    found = config.get('model')
    if found != model:
        raise refused(
            folder, name, f'it is of {shown(found)}, and not of {model!r}'
        )
    arguments = config.get('arguments')
    if not isinstance(arguments, dict):
        raise refused(folder, name, f"its {CONFIG} has no 'arguments'")
    return dict(arguments)


def write_weights(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes tensors as safetensors, whole or not at all.

    Args:
        path: The file, in a folder that exists.
        tensors: The tensors by their names.
    """
    save = require('safetensors.torch', 'mol').save
    # Tensors that share memory are refused, and so are views of others.
    copies = {k: v.detach().cpu().clone() for k, v in tensors.items()}
    data = save(
        {k: v.contiguous() for k, v in copies.items()}, {'format': 'pt'}
    )
    with replacing(path) as file:
        file.write(data)


def read_weights(
    folder: Path, file: str = WEIGHTS, name: str = 'source'
) -> dict[str, Tensor]:
    """Reads tensors from safetensors: never more bytes than the file has.

    Args:
        folder: The folder.
        file: The name of the file in it.
        name: What the argument is called that gives the folder.

    Raises:
        ValueError: If the file is missing, too large or no such file.
    """
    path = _bounded(folder, file, MOST_WEIGHT_BYTES, name)
    safetensors = require('safetensors', 'mol')
    try:
        with safetensors.safe_open(path, 'pt') as opened:
            keys = list(opened.keys())
            if len(keys) > MOST_TENSORS:
                raise ValueError(f'{len(keys)} tensors')
            return {key: opened.get_tensor(key) for key in keys}
    except Exception as error:  # Of many kinds, by what is wrong.
        reason = f'{file} is damaged, or is no safetensors: {one_line(error)}'
        raise refused(folder, name, f'its {reason}') from error


def _check_shapes(
    module: torch.nn.Module,
    weights: Mapping[str, Tensor],
    folder: Path,
    name: str,
) -> None:
    expected = module.state_dict()
    for key in [*expected, *weights]:
        wanted, got = (_shape(part.get(key)) for part in (expected, weights))
        if wanted != got:
            raise refused(
                folder,
                name,
                f'its {WEIGHTS} has {shown(key)} with shape {got}, where '
                f'{type(module).__name__} of its {CONFIG} has {wanted}',
            )


def make_module(
    make: Callable[..., Module],
    arguments: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    folder: Path,
    name: str = 'source',
) -> Module:
    """Makes a module of arguments that may come from anywhere, once it is
    known that it takes no more memory than its weights.

    Args:
        make: The class.
        arguments: Its arguments.
        weights: What :func:`read_weights` returns.
        folder: The folder that both are from.
        name: What the argument is called that gives it.

    Raises:
        ValueError: If it does not take the arguments, or is of other weights.
    """
    key = too_large(arguments, weights)
    if key is not None:
        raise refused(
            folder,
            name,
            f"'{key}' is {shown(arguments[key])} in its {CONFIG}, more than "
            f'its {WEIGHTS} has',
        )
    try:
        expected = outline(make, arguments)
    except Exception as error:  # Of many kinds, by what is wrong.
        raise refused(
            folder,
            name,
            f"the 'arguments' in its {CONFIG} are none of this version of "
            f'gmoe: {one_line(error, 200)}',
        ) from error
    _check_shapes(expected, weights, folder, name)
    module = make(**arguments)
    kinds = {v.dtype for v in weights.values() if v.is_floating_point()}
    if len(kinds) == 1:  # As it was saved.
        module.to(dtype=kinds.pop())
    module.load_state_dict(dict(weights))
    return module


def refused(folder: Path, name: str, reason: str) -> ValueError:
    """The error that says why a folder is not read.

    Args:
        folder: The folder.
        name: What the argument is called that gives it.
        reason: What is wrong.
    """
    return ValueError(
        f"'{name}' must be a folder with a network that gmoe has saved, in "
        f"{CONFIG} and {WEIGHTS}, got '{folder}': {reason}"
    )


def _bounded(folder: Path, file: str, most: int, name: str) -> Path:
    """A file that is there, and no larger than what it is for."""
    path = folder / file
    if not path.is_file():
        raise refused(folder, name, f'there is no {file}')
    size = path.stat().st_size
    if size > most:
        raise refused(
            folder, name, f'its {file} has {size} bytes, more than {most}'
        )
    return path


def _shape(value: Tensor | None) -> list[int] | None:
    return None if value is None else list(value.shape)


def _pickle(folder: Path) -> str | None:
    # Nobody reads one by mistake where none is beside what is safe.
    names = sorted(path.name for path in folder.iterdir())
    pickles = (n for n in names if n.lower().endswith(_PICKLES))
    return next(pickles, None)
