"""Where the model is that the study of Switch Transformers starts from, and
which rows go with it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.record import RESULTS
from benchmarks.reproduce.tables import Cell
from gmoe.text.folder import first_line, folder_fault

#: Where the small model is.
SMALL = RESULTS / 'switch' / 'small'

_KINDS = ('t5', 'switch_transformers')


def place(base: str, num_experts: int) -> str:
    """The folder or the name of the model to start from: of
    ``google/switch-base-8`` with 16 experts it is ``google/switch-base-16``,
    and likewise of folders that lie beside each other. Names on the hub
    without ``switch`` stay.

    Args:
        base: ``small``, a folder, or a name on the hub.
        num_experts: The number of experts.

    Raises:
        FileNotFoundError: If the small model has not been made.
    """
    if base == 'small':
        if not (SMALL / 'config.json').is_file():
            raise FileNotFoundError(
                "'model' must be there, got 'small' without its folder "
                f"'{SMALL}': python -m benchmarks.switch.base makes it in "
                'hours; or give the name or the folder of another one'
            )
        return str(SMALL)
    base = base.rstrip('/')
    named = re.sub(r'-\d+$', f'-{num_experts}', base)
    # Other numbers, such as a T5's, are no numbers of experts.
    is_named = (
        Path(named).is_dir() if Path(base).is_dir() else 'switch' in base
    )
    return named if is_named else base


def fitting(cells: Sequence[Cell]) -> tuple[list[Cell], list[str]]:
    """The cells that go with the model to start from.

    A dense model has no scores of routers that could start anew, a Switch
    Transformer is no dense model, and its number of experts is given.

    Args:
        cells: The cells of a table, of any kind.

    Returns:
        Those that go with it, and the rows that do not.

    Raises:
        FileNotFoundError: If the small model has not been made.
        ValueError: If the model is not there, or of another architecture.
    """
    found: dict[str, tuple[str, int | None]] = {}
    kept, left_out = [], []
    for cell in cells:
        if cell.kind != 'switch' or _fits(cell.settings, found):
            kept.append(cell)
        else:
            left_out.append(cell.row)
    return kept, left_out


def _fits(
    settings: dict[str, Any], found: dict[str, tuple[str, int | None]]
) -> bool:
    base, is_dense = settings['base'], settings['router'] == 'dense'
    # There is none of one expert.
    is_itself = is_dense and base != 'small'
    name = base if is_itself else place(base, settings['num_experts'])
    if name not in found:
        found[name] = _model(base, name)
    kind, num_experts = found[name]
    if kind == 't5':
        return settings.get('keep_scores') is not False
    return not is_dense and settings['num_experts'] == num_experts


def _model(base: str, name: str) -> tuple[str, int | None]:
    """Its architecture and its number of experts, if it has any."""
    fault = folder_fault(name)
    if fault is not None:
        raise _refuse(base, name, fault)
    try:
        config = _config(name)
    except Exception as error:  # Of any of the libraries below it.
        raise _refuse(base, name, first_line(error)) from error
    kind = config.get('model_type')
    if kind not in _KINDS:
        raise _refuse(base, name, f'its architecture is {kind!r}')
    return kind, config.get('num_experts')


def _config(name: str) -> dict[str, Any]:
    if Path(name).is_dir():
        config = json.loads((Path(name) / 'config.json').read_text('utf-8'))
        if not isinstance(config, dict):
            raise ValueError('its config.json holds no settings')
        return config
    # Only here: it takes seconds.
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(name).to_dict()


def _refuse(base: str, name: str, why: str) -> ValueError:
    where = '' if base == name else f' ({name})'
    return ValueError(
        "'model' must be small, or a Switch Transformer or a T5: its name on "
        'the hub, or its folder with config.json, weights in safetensors and '
        'the tokenizer, that for 16 experts beside it where its name ends in '
        f"-8, got '{base}'{where}: {why}"
    )
