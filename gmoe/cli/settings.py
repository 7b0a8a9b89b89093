"""Files of settings and paths that the command line is given."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace

from gmoe.cli.options import CONFIG, given, values

#: Options that take a file of settings, or something else.
_OPTIONS = (
    'config',
    'model',
    'data',
    'trainer',
    'checkpoint',
    'optimizer',
    'lr_scheduler',
)
_MAX_BYTES = 1 << 20
_MAX_VALUES = 100_000


def check_files(arguments: Sequence[str]) -> None:
    """Reads the files of settings that arguments name, with distrust.

    Args:
        arguments: The arguments of a command.

    Raises:
        ValueError: If a file is not one of settings.
    """
    for name in _OPTIONS:
        names = CONFIG if name == 'config' else (f'--{name}',)
        for value in values(arguments, *names):
            path = Path(value).expanduser()
            # Other options take the name of a class, too.
            is_file = name == 'config' or path.exists()
            if value and not value.startswith('-') and is_file:
                read_settings(name, path)


def read_settings(name: str, path: str | Path) -> dict[str, Any]:
    """Reads a file of settings, with distrust.

    Args:
        name: The option that it is given to.
        path: The file.

    Raises:
        ValueError: If it is not one of settings.
    """
    path = Path(path).expanduser()
    settings = _settings(path)
    if isinstance(settings, str):
        raise ValueError(
            f"'{name}' must be a file of settings in YAML, got '{path}': "
            f'{settings}'
        )
    return settings


def _settings(path: Path) -> dict[str, Any] | str:
    """What a file holds, or why it does not count."""
    try:
        if not path.is_file():
            return (
                'it is a folder' if path.is_dir() else 'there is no such file'
            )
        if path.stat().st_size > _MAX_BYTES:
            return f'it has more than {_MAX_BYTES} bytes'
        text = path.read_text('utf-8-sig')
        settings = yaml.safe_load(text)
        if _size(settings, {}) > _MAX_VALUES:
            return f'it has more than {_MAX_VALUES} values'
    except OSError as error:
        return error.strerror or 'it cannot be read'
    except UnicodeDecodeError:
        return 'it is not text in UTF-8'
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = '' if mark is None else mark.line + 1
        return f'line {line}: {error.problem}'
    except (yaml.YAMLError, ValueError):
        return 'it is not YAML'
    except RecursionError:
        return 'it is nested too deeply'
    if settings is None:
        return 'it is empty'
    if not isinstance(settings, dict):
        return 'it is not a list of names and their values'
    return settings


def _size(value: Any, known: dict[int, int]) -> int:
    # Each value with what it holds: an alias counts as often as it is used.
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) not in known:
        known[id(value)] = _MAX_VALUES  # Of one that holds itself.
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_size(item, known) for item in inner)
    return known[id(value)]


def run_of(arguments: Sequence[str]) -> Path | None:
    """The folder of the run whose own configuration a command line names;
    :obj:`None` if it names another one, or a folder of runs.

    Args:
        arguments: The arguments of a command.
    """
    path = Path(given(arguments, *CONFIG) or '').expanduser()
    is_own = path.name == 'config.yaml' and (
        path.with_name('checkpoints').is_dir()
    )
    is_said = given(arguments, '--run_dir') is not None
    return path.parent if is_own and not is_said else None


def expand_home(settings: Any) -> Any:
    """Replaces a leading ``~`` by the home folder, wherever a setting is a
    path.

    Args:
        settings: A setting, or settings in lists and by name, whose
            namespaces are changed in place.
    """
    if isinstance(settings, Namespace):
        for name, value in vars(settings).items():
            setattr(settings, name, expand_home(value))
    elif isinstance(settings, dict):
        return {key: expand_home(value) for key, value in settings.items()}
    elif isinstance(settings, list):
        return [expand_home(value) for value in settings]
    elif isinstance(settings, str) and settings.startswith('~'):
        return os.path.expanduser(settings)
    elif isinstance(settings, Path):
        return settings.expanduser()
    return settings


def check_kinds(config: Namespace) -> None:
    """Refuses data of another kind than what the model predicts.

    Args:
        config: The configuration of a command.

    Raises:
        ValueError: If one is of graphs, nodes or links, and the other is not.
    """
    kinds = {}
    for name in ('model', 'data'):
        module, _, kind = config[name].class_path.rpartition('.')
        kinds[name] = getattr(getattr(import_module(module), kind), 'kind', '')
    if all(kinds.values()) and kinds['model'] != kinds['data']:
        raise ValueError(
            f"'data' must be of {kinds['model']}, as "
            f'{config.model.class_path} predicts them, got '
            f'{config.data.class_path}, which is of {kinds["data"]}'
        )
