"""The pretrained model that a mixture is made of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gmoe.common.require import require
from gmoe.common.shown import shown
from gmoe.text.folder import first_line, folder_fault

require('transformers')

from transformers import AutoConfig, PreTrainedModel  # noqa: E402


def load_source(
    source: str | Path | PreTrainedModel, wanted: type[PreTrainedModel]
) -> PreTrainedModel:
    """A pretrained model, in the type that it is stored in.

    Args:
        source: The model, or its name on the hub, or its local folder.
        wanted: The class that it must be of.

    Raises:
        ValueError: If it is none of this class, cannot be found or read, or
            a part of its weights is missing or in a pickle.
    """
    # A subclass is of another model type, and may have other layers.
    if type(source) is wanted:
        return source
    if not isinstance(source, (str, Path)):
        kind = shown(type(source).__name__)
        raise refuse(kind, 'it is none of this class', wanted)
    name = os.path.expanduser(source)
    fault = folder_fault(name)
    if fault is not None:
        raise refuse(name, fault, wanted)
    try:
        # Code that comes with a model is never run.
        config = AutoConfig.from_pretrained(name, trust_remote_code=False)
    except Exception as error:
        raise refuse(name, first_line(error), wanted) from error
    if type(config) is not wanted.config_class:
        why = f'its architecture is {config.model_type!r}'
        raise refuse(name, why, wanted)
    return _read(name, wanted)


def _read(name: str, wanted: Any) -> PreTrainedModel:
    try:
        model, info = wanted.from_pretrained(
            name, use_safetensors=True, output_loading_info=True
        )
    except Exception as error:
        raise refuse(name, first_line(error), wanted) from error
    lost = sorted(info['missing_keys'])
    if lost:
        why = f'{len(lost)} of its parameters are missing, such as {lost[0]!r}'
        raise refuse(name, why, wanted)
    return model


def refuse(source: str, why: str, wanted: type[PreTrainedModel]) -> ValueError:
    """The error for a model that cannot be used.

    Args:
        source: Its name, its folder or its class.
        why: The reason.
        wanted: The class that it must be of.
    """
    return ValueError(
        f"'source' must be a {wanted.__name__}, or the name of one on the "
        'hub, or a folder with its config.json and its weights in '
        f'safetensors (and its tokenizer, to use it), got {source}: {why}'
    )
