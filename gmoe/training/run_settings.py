"""The settings that a checkpoint carries, and those that may change.

A checkpoint carries the settings of its network and of its training's seed,
optimizer and schedule. A command that starts from it takes them from there;
where it gives one of them itself, the two have to be equal. All else, such as
the trainer's settings, is as the command says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from jsonargparse import ArgumentParser, Namespace
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info

from gmoe.training.checkpoint import check_size
from gmoe.training.schedule import planned_steps

#: What a training that goes on has to keep, besides the network.
CARRIED = ('seed_everything', 'optimizer', 'lr_scheduler', 'averaging')
#: What it may change; a change is printed.
FREE = ('trainer', 'data', 'early_stopping')


class RunSettings(Callback):
    """Keeps the settings of a training in its checkpoints, and says which of
    them change when it goes on.

    Args:
        settings: The settings: plain values, lists and dictionaries.
        is_fit: Whether this is a training, in which changes are of interest.
    """

    def __init__(self, settings: dict[str, Any], is_fit: bool = True) -> None:
        self.settings = settings
        self.is_fit = is_fit

    def state_dict(self) -> dict[str, Any]:
        return {name: self.settings.get(name) for name in (*CARRIED, *FREE)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name in FREE if self.is_fit else ():
            new = dict(named(self.settings.get(name), name))
            for key, old in named(state_dict.get(name), name):
                if key in new and new[key] != old:
                    rank_zero_info(
                        f"Goes on with '{key}' {new[key]!r}, before {old!r}"
                    )

    def on_train_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        for config in trainer.lr_scheduler_configs:
            planned = planned_steps(config.scheduler)
            steps = trainer.estimated_stepping_batches
            # It is restored with the checkpoint, and then is over too early.
            if (
                planned is not None
                and config.interval == 'step'
                and planned[1] != steps
            ):
                raise ValueError(
                    "'trainer.max_epochs' and 'data.batch_size' must be those "
                    f"of the checkpoint, whose {planned[0]} 'schedule' has "
                    f'{planned[1]} steps, got {steps} steps: a training of '
                    'another length starts anew'
                )


def run_settings(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """The settings of the training that a checkpoint is from, as far as it
    has them.

    Args:
        checkpoint: The checkpoint.
    """
    settings = _state_of(checkpoint, RunSettings.__name__)
    seed = _state_of(checkpoint, 'EpochSeed')
    if 'seed' in seed:
        settings.setdefault('seed_everything', seed['seed'])
    return settings


def _state_of(checkpoint: dict[str, Any], callback: str) -> dict[str, Any]:
    # The file may be from anywhere.
    callbacks = checkpoint.get('callbacks')
    state = callbacks.get(callback) if isinstance(callbacks, dict) else None
    return dict(state) if isinstance(state, dict) else {}


def trained_model(
    checkpoint: dict[str, Any], given: Namespace, path: str
) -> Namespace:
    """The class of the network that a checkpoint holds, and its arguments.

    Args:
        checkpoint: The checkpoint.
        given: The class that the command gives. A checkpoint may not name
            another, which would be imported.
        path: The checkpoint's file.

    Raises:
        ValueError: If it is another class, does not take the arguments, or
            would be larger than its weights.
    """
    arguments = dict(checkpoint['hyper_parameters'])
    arguments.pop('_instantiator', None)
    name = given.class_path
    trained = arguments.pop('_class_path', name)
    check_given(name, trained, 'model', path)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(LightningModule, 'model', fail_untyped=False)
    try:
        model = parser.parse_object(
            {'model': {'class_path': name, 'init_args': arguments}}
        ).model
    except Exception as error:  # Of many kinds, by what is wrong.
        raise ValueError(
            f"'ckpt_path' must be a checkpoint of a class that takes its "
            f"settings, got '{path}' of {name!r} with {[*arguments][:5]}"
        ) from error
    if name.startswith('gmoe.'):
        # Others may do anything when they are made.
        module, _, kind = name.rpartition('.')
        check_size(
            getattr(import_module(module), kind), arguments, checkpoint, path
        )
    return model


def check_given(given: Any, carried: Any, name: str, path: str) -> None:
    """Compares settings that a command gives with those of a checkpoint.

    Args:
        given: What the command gives: a value, or values by name.
        carried: What the checkpoint has.
        name: The name of the setting.
        path: The checkpoint's file.

    Raises:
        ValueError: If a setting that both have differs.
    """
    known = dict(named(carried, name))
    for key, value in named(given, name):
        if key in known and known[key] != value:
            raise ValueError(
                f"'{key}' must be {known[key]!r}, as in the checkpoint "
                f"'{path}', got {value!r}: leave it out"
            )


def named(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The settings in a group of them, by their names on the command line.

    Args:
        value: The group: values by name, or a class and its arguments.
        name: The group's name.
    """
    if not isinstance(value, Mapping):
        yield name, value
        return
    for key, inner in value.items():
        if key in ('init_args', 'dict_kwargs'):
            yield from named(inner or {}, name)
        elif key == 'class_path':
            yield name, inner
        else:
            yield f'{name}.{key}', inner


def plain(value: Any) -> Any:
    """Settings as dictionaries, lists and values.

    Args:
        value: A setting, or a namespace of settings.
    """
    if isinstance(value, Namespace):
        value = value.as_dict()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value


def as_setting(value: Any) -> Any:
    """A plain setting as the parser has it.

    Args:
        value: A value, or a class and its arguments.
    """
    if isinstance(value, dict):
        if 'class_path' not in value:
            return Namespace(value)
        arguments = value.get('init_args') or {}
        return Namespace({**value, 'init_args': Namespace(arguments)})
    return value
