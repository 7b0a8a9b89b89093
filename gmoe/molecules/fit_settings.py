"""The settings of a training, from the same files as those of ``gmoe fit``."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser
from lightning.pytorch import Trainer

from gmoe.common.shown import one_line, shown

#: Where the configurations of the package are.
CONFIGS = Path(__file__).parent / 'configs'
_PREDICTOR = 'GraphPredictor'


@dataclass(frozen=True)
class FitSettings:
    """What a file says of a training, as far as it is not of its data.

    Args:
        model: Arguments of :class:`~gmoe.training.GraphPredictor`.
        data: Arguments of the data module.
        trainer: Arguments of Lightning's ``Trainer``.
    """

    model: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    trainer: dict[str, Any] = field(default_factory=dict)

    def make_trainer(self, callbacks: list[Any], **kwargs: Any) -> Trainer:
        """Makes the trainer.

        Args:
            callbacks: Callbacks besides those of the file.
            **kwargs: Arguments that take precedence.

        Raises:
            ValueError: If the file's are none of a trainer.
        """
        parser = ArgumentParser(exit_on_error=False)
        parser.add_class_arguments(
            Trainer, 'trainer', instantiate=False, fail_untyped=False
        )
        given = {k: v for k, v in self.trainer.items() if k not in kwargs}
        try:
            # Newer versions call it so.
            make = getattr(parser, 'instantiate', parser.instantiate_classes)
            made = make(parser.parse_object({'trainer': given})).trainer
        except Exception as error:  # Of many kinds, by what is wrong.
            raise ValueError(
                "'config' must have arguments of a trainer under 'trainer', "
                f'got {shown(given)}: {one_line(error, 300)}'
            ) from error
        arguments = {**made.as_dict(), **kwargs}
        own = arguments.pop('callbacks', None) or []
        own = own if isinstance(own, list) else [own]
        return Trainer(callbacks=[*own, *callbacks], **arguments)


def read_settings(config: str | os.PathLike[str]) -> FitSettings:
    """Reads a configuration, as ``gmoe fit --config`` takes it.

    Args:
        config: The name of one of the package, such as ``'default'``, or a
            YAML file.

    Raises:
        ValueError: If there is no such file, or it is none of molecules.
    """
    names = sorted(
        path.stem for path in CONFIGS.glob('*.yaml') if path.stem != 'csv'
    )
    path = Path(str(config)).expanduser()
    if str(config) in names:
        path = CONFIGS / f'{config}.yaml'
    elif not path.is_file():
        raise ValueError(
            f"'config' must be one of {names}, or a YAML file, got "
            f'{shown(str(config))}'
        )
    try:
        content = yaml.safe_load(path.read_text('utf-8'))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(
            f"'config' must be a YAML file, got '{path}': "
            f'{one_line(error, 200)}'
        ) from error
    if not isinstance(content, dict):
        raise ValueError(
            f"'config' must be a YAML file with 'model', 'data' or 'trainer', "
            f"got '{path}' with {shown(content)}"
        )
    model = _group(content, 'model', path)
    name = str(model.get('class_path', _PREDICTOR)).rpartition('.')[2]
    if name != _PREDICTOR:
        raise ValueError(
            f"'config' must be of a {_PREDICTOR}, got '{path}' of "
            f'{shown(name)}'
        )
    return FitSettings(
        _arguments(model, path),
        _arguments(_group(content, 'data', path), path),
        _group(content, 'trainer', path),
    )


def _group(content: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    group = content.get(name) or {}
    if not isinstance(group, dict):
        raise ValueError(
            f"'{name}' in '{path}' must be settings by name, got "
            f'{shown(group)}'
        )
    return group


def _arguments(group: dict[str, Any], path: Path) -> dict[str, Any]:
    if 'class_path' in group or 'init_args' in group:
        return _group(group, 'init_args', path)
    return group
