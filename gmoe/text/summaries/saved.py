"""A model that summarizes, in a folder."""

from __future__ import annotations

import copy
import json
import os
import warnings
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

from gmoe.common.arguments import check_choice
from gmoe.common.files import replace_text
from gmoe.common.require import require
from gmoe.common.shown import shown
from gmoe.text.checks import check_names
from gmoe.text.folder import first_line, folder_fault
from gmoe.text.summaries.seq2seq import is_adapted
from gmoe.text.summaries.training import SummaryTraining

require('transformers')

# The model's class is one that transformers knows then.
from transformers import (  # noqa: E402
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
)

import gmoe.text.switch.model  # noqa: E402, F401

#: The settings, beside the model.
SETTINGS = 'summarizer.json'

_ADAPTER = 'adapter_config.json'
_ADAPTER_WEIGHTS = 'adapter_model.safetensors'
#: Of one training on one machine.
_LEFT_OUT = ('checkpoints', 'arguments')
_MOST_BYTES = 1 << 20


def save(
    folder: str | Path,
    model: Any,
    tokenizer: Any,
    settings: SummaryTraining,
    merge: bool = False,
) -> None:
    """Writes a model, or its adapter alone, its tokenizer and its settings.

    Args:
        folder: The folder, which is made where it is missing; ``~`` is the
            home.
        model: The model.
        tokenizer: The tokenizer.
        settings: The settings.
        merge: Whether the whole model is written in place of its adapter,
            which is merged into it.

    Raises:
        ValueError: If it is no folder that can be written to, or the adapter
            cannot be merged.
    """
    check_choice('merge', merge, (False, True))
    path = Path(_checked(folder)).expanduser()
    text = {k: v for k, v in vars(settings).items() if k not in _LEFT_OUT}
    more: dict[str, Any] = {}
    if is_adapted(model) and merge:
        model = _merged(model)
    elif is_adapted(model):
        # By itself it would ask the hub whether there are new tokens.
        more['save_embedding_layers'] = settings.speakers == 'tokens'
    try:
        path.mkdir(parents=True, exist_ok=True)
        # First: without the rest, the folder is refused; without these, it
        # would be read as that of any model.
        replace_text(path / SETTINGS, json.dumps(text, indent=1) + '\n')
        model.save_pretrained(path, **more)
        tokenizer.save_pretrained(path)
    except OSError as error:
        raise ValueError(
            "'folder' must be a folder that can be written to, got "
            f'{shown(str(folder))}: {error}'
        ) from error


def load(
    folder: str | Path, base: Any, changes: dict[str, Any]
) -> tuple[Any, Any, SummaryTraining]:
    """Reads a model, its tokenizer and its settings.

    Args:
        folder: The folder, or a name of the hub; ``~`` is the home.
        base: For an adapter, the model that it is of, or its folder or name;
            :obj:`None` for the one that it names.
        changes: Settings in place of those that are there.

    Raises:
        ValueError: If a part is missing, cannot be read or is a pickle.
    """
    name = os.path.expanduser(_checked(folder))
    check_names('settings', changes, [f.name for f in fields(SummaryTraining)])
    settings = SummaryTraining(**{**_settings(name), **changes})
    is_adapter = (Path(name) / _ADAPTER).is_file()
    fault = _adapter_fault(name) if is_adapter else folder_fault(name)
    if fault is not None:
        raise _refuse(name, fault)
    try:
        # Code that comes with a model is never run.
        tokenizer = AutoTokenizer.from_pretrained(
            name, trust_remote_code=False
        )
    except Exception as error:
        why = f'its tokenizer cannot be read: {first_line(error)}'
        raise _refuse(name, why) from error
    # Without its files, one that knows no letter is made.
    tokens = set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens)
    if not any(map(str.isalnum, ''.join(tokens))):
        raise _refuse(name, 'it has no tokenizer')
    if is_adapter:
        return _adapted(name, base, tokenizer), tokenizer, settings
    if base is not None:
        raise _refuse(name, "it is no adapter, which 'base' is for")
    return _model(name, name), tokenizer, settings


def _merged(model: Any) -> Any:
    layer = require('peft.tuners.tuners_utils').BaseTunerLayer
    weights = Counter(
        id(module._parameters.get('weight')) for module in model.modules()
    )
    for name, module in model.named_modules():
        if isinstance(module, layer):
            weight = module.get_base_layer()._parameters.get('weight')
            if weight is not None and weights[id(weight)] > 1:
                raise ValueError(
                    "'merge' must be False for an adapter of weights that "
                    f'other parts of the model share, {name!r}, got True'
                )
    return copy.deepcopy(model).merge_and_unload()


def _checked(folder: Any) -> str | Path:
    if isinstance(folder, (str, Path)):
        return folder
    raise ValueError(f"'folder' must be a path, got {shown(folder)}")


def _model(name: str, folder: str) -> Any:
    try:
        model, info = AutoModelForSeq2SeqLM.from_pretrained(
            name,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except Exception as error:
        raise _refuse(folder, first_line(error)) from error
    if info['missing_keys']:  # Else drawn anew at random.
        lost = sorted(info['missing_keys'])
        why = f'{len(lost)} of its parameters are missing, such as {lost[0]!r}'
        raise _refuse(folder, why)
    return model


def _adapter_fault(name: str) -> str | None:
    if (Path(name) / _ADAPTER_WEIGHTS).is_file():
        return None
    return f'the adapter has no {_ADAPTER_WEIGHTS}; pickles are not read'


def _adapted(name: str, base: Any, tokenizer: Any) -> Any:
    peft = require('peft')
    if base is None:
        try:
            config = peft.PeftConfig.from_pretrained(name)
        except Exception as error:
            raise _refuse(name, first_line(error)) from error
        source = config.base_model_name_or_path
        if not source or folder_fault(os.path.expanduser(source)) is not None:
            raise _refuse(
                name,
                'it is an adapter, and the model that it is of, '
                f"{shown(source)}, is not there: give it as 'base', or save "
                "the whole model with 'merge'",
            )
        base = source
    if isinstance(base, (str, Path)):
        path = os.path.expanduser(base)
        fault = folder_fault(path)
        if fault is not None:
            raise _refuse(path, fault)
        base = _model(path, path)
    rows = base.get_input_embeddings().num_embeddings
    most = max(tokenizer.get_vocab().values()) + 1
    if most > rows:
        base.resize_token_embeddings(most)
    try:
        return peft.PeftModel.from_pretrained(base, name, is_trainable=True)
    except Exception as error:
        raise _refuse(name, first_line(error)) from error


def _settings(name: str) -> dict[str, Any]:
    path = Path(name) / SETTINGS
    if not path.is_file():  # Of any model.
        return {}
    try:
        with path.open('rb') as file:
            values = json.loads(file.read(_MOST_BYTES))
        if not isinstance(values, dict):
            raise ValueError(f'it holds {shown(values)}')
    except (OSError, ValueError, RecursionError) as error:
        why = f'{SETTINGS} cannot be read: {first_line(error)}'
        raise _refuse(name, why) from error
    known = {f.name for f in fields(SummaryTraining)} - {*_LEFT_OUT}
    others = sorted(values.keys() - known)
    if others:
        warnings.warn(
            f"Left out settings of '{path}' that this version does not know: "
            f'{shown(others)}',
            stacklevel=4,
        )
    return {key: value for key, value in values.items() if key in known}


def _refuse(folder: str, why: str) -> ValueError:
    return ValueError(
        "'folder' must be a folder with a model that writes text, or its "
        'adapter, in safetensors, and its tokenizer, or the name of one on '
        f'the hub, got {shown(folder)}: {why}'
    )
