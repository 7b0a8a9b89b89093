"""What the data tell a network, and refuse to have told otherwise."""

from __future__ import annotations

from functools import partial
from typing import Any

from lightning.pytorch.cli import LightningArgumentParser

from gmoe.common.shown import one_line
from gmoe.training.run_settings import plain

#: What the network needs to know of the data: attribute and argument.
_TOLD = {
    'name': 'dataset',
    'features_name': 'features',
    'task_type': 'task_type',
    'eval_metric': 'metric',
    'num_outputs': 'out_channels',
    'in_channels': 'in_channels',
    'num_nodes': 'num_nodes',
    'router_columns': 'router_columns',
    'node_dims': 'node_dims',
    'edge_dims': 'edge_dims',
    'graph_dims': 'graph_dims',
    'text_channels': 'text_channels',
}
#: What is behind some of them.
_MEANT = {'out_channels': ' (the number of targets, or of classes)'}


class OtherDataError(ValueError):
    """The data at hand are not those that settings are about."""


class DataSettings:
    """Tells a network what it needs to know of its data: of a command, the
    arguments that nobody need give."""

    #: The names of these arguments.
    names = frozenset(_TOLD.values())

    def __init__(self) -> None:
        self._given: dict[str, Any] = {}
        self._trained: dict[str, Any] = {}
        self._path = ''

    def link(self, parser: LightningArgumentParser) -> None:
        """Links arguments of the network, and what selects an epoch, to the
        data.

        Args:
            parser: The parser of a command.
        """
        for source, target in _TOLD.items():
            parser.link_arguments(
                f'data.{source}',
                f'model.init_args.{target}',
                compute_fn=partial(self._tell, target),
                apply_on='instantiate',
            )
        for group in ('checkpoint', 'early_stopping'):
            for source, target in (
                ('monitor', 'monitor'),
                ('monitor_mode', 'mode'),
            ):
                parser.link_arguments(
                    f'data.{source}',
                    f'{group}.{target}',
                    apply_on='instantiate',
                )

    def take_given(self, model: dict[str, Any]) -> None:
        """Takes such arguments out of those that a command gives.

        Args:
            model: The class and the arguments of the network, as given.
        """
        arguments = model.get('init_args') or {}
        self._given = {
            name: arguments.pop(name)
            for name in self.names
            if name in arguments
        }

    def take_trained(self, arguments: dict[str, Any], path: str) -> None:
        """Takes note of those that a network was trained with.

        Args:
            arguments: Its arguments.
            path: Its checkpoint.
        """
        self._trained, self._path = arguments, path

    def _tell(self, name: str, value: Any) -> Any:
        trained = self._trained.get(name)
        if trained is not None and plain(trained) != plain(value):
            raise OtherDataError(
                f"'{name}' of the data{_MEANT.get(name, '')} must be "
                f'{one_line(trained)!r}, as in the checkpoint '
                f"'{self._path}', got {one_line(value)!r}"
            )
        given = self._given.get(name)
        if given is not None and plain(given) != plain(value):
            raise OtherDataError(
                f"'model.{name}' must be {one_line(value)!r}, as the data "
                f'have it{_MEANT.get(name, "")}, got {one_line(given)!r}: '
                'leave it out'
            )
        return value
