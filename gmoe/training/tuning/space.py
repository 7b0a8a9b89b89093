"""The settings that a search may choose, and from which values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gmoe.common.arguments import check_choice
from gmoe.common.require import require
from gmoe.common.shown import shown

#: How values of a setting are drawn, and what each kind takes.
KINDS = {
    'choice': 'a list of values',
    'uniform': '[low, high]',
    'loguniform': '[low, high], both above zero',
    'randint': '[low, high], integers, both of which are drawn',
}

Point = dict[str, Any]
_EXPONENT = re.compile(r'[-+]?\d+\.?\d*[eE][-+]?\d+')


@dataclass(frozen=True)
class Values:
    """The values of one setting.

    Args:
        name: Its name on the command line, such as
            :obj:`"model.dropout"`; any name where each value is a group of
            settings by their names.
        kind: A key of :obj:`KINDS`.
        values: What that kind takes.

    Raises:
        ValueError: If these are no such values.
    """

    name: str
    kind: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        check_choice(f'{self.name}', self.kind, KINDS)
        if self.kind == 'choice':
            is_right = len(self.values) > 0
            groups = [isinstance(v, Mapping) and bool(v) for v in self.values]
            is_right &= all(groups) or not any(groups)
        else:
            is_right = len(self.values) == 2 and all(
                isinstance(v, int if self.kind == 'randint' else (int, float))
                and not isinstance(v, bool)
                for v in self.values
            )
            is_right = is_right and self.values[0] < self.values[1]
            if is_right and self.kind == 'loguniform':
                is_right = self.values[0] > 0
        if not is_right:
            raise ValueError(
                f"'{self.name}' of the space must be {self.kind}: "
                f'{KINDS[self.kind]}, got {shown([*self.values])}'
            )

    @property
    def labels(self) -> list[Any]:
        """The values of a choice as Optuna takes them."""
        return [_label(value) for value in self.values]

    def distribution(self) -> Any:
        """The values as a distribution of Optuna."""
        kinds = require('optuna', 'cluster').distributions
        if self.kind == 'choice':
            return kinds.CategoricalDistribution(self.labels)
        low, high = self.values
        if self.kind == 'randint':
            return kinds.IntDistribution(low, high)
        return kinds.FloatDistribution(
            float(low), float(high), log=self.kind == 'loguniform'
        )

    def settings(self, value: Any) -> dict[str, Any]:
        """The settings that a drawn value stands for, by their names.

        Args:
            value: The value, as Optuna has it.
        """
        if self.kind == 'choice':
            value = self.values[self.labels.index(value)]
            if isinstance(value, Mapping):
                return dict(value)
        return {self.name: value}

    def find(self, settings: Mapping[str, Any]) -> Any:
        """The value, as Optuna has it, that stands for given settings.

        Args:
            settings: All settings of a configuration, by their names.

        Raises:
            LookupError: If there is none.
        """
        if self.kind == 'choice':
            for label in self.labels:
                wanted = self.settings(label)
                if all(
                    name in settings and settings[name] == wanted[name]
                    for name in wanted
                ):
                    return label
            raise LookupError(self.name)
        value = settings.get(self.name)
        low, high = self.values
        if not isinstance(value, (int, float)) or not low <= value <= high:
            raise LookupError(self.name)
        return value if self.kind == 'randint' else float(value)


class Space:
    """What a search chooses: values for each of some settings.

    Args:
        values: The settings and their values.

    Raises:
        ValueError: If there is none, or a setting is there twice.
    """

    def __init__(self, values: Iterable[Values]) -> None:
        self.values = {value.name: value for value in values}
        if not self.values:
            raise ValueError(
                "'space' must have at least one setting to choose, got none"
            )
        names = self.names
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(
                f"'space' must have each setting once, got {twice[0]!r} twice"
            )

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Space:
        """The space that a file describes: for each name, a kind and what it
        takes.

        Args:
            settings: The content of the file.

        Raises:
            ValueError: If it is no space.
        """
        found = []
        for name, value in settings.items():
            if (
                not isinstance(value, Mapping)
                or len(value) != 1
                or not isinstance(next(iter(value.values())), list)
            ):
                raise ValueError(
                    f"'{name}' of the space must be one of "
                    f'{", ".join(KINDS)} with a list, such as '
                    f'{{uniform: [0, 0.5]}}, got {shown(value)}'
                )
            ((kind, values),) = value.items()
            numbers = tuple(_number(item) for item in values)
            found.append(Values(str(name), str(kind), numbers))
        return cls(found)

    def to_dict(self) -> dict[str, Any]:
        """The space as a file describes it."""
        return {
            name: {value.kind: [*value.values]}
            for name, value in self.values.items()
        }

    @property
    def names(self) -> list[str]:
        """The names of all settings, those in groups too."""
        names: list[str] = []
        for name, value in self.values.items():
            groups = [v for v in value.values if isinstance(v, Mapping)]
            names += dict.fromkeys(k for g in groups for k in g)
            names += [] if groups else [name]
        return names

    def distributions(self) -> dict[str, Any]:
        """The space as Optuna has it."""
        return {name: v.distribution() for name, v in self.values.items()}

    def settings(self, point: Point) -> dict[str, Any]:
        """The settings that a point of the space stands for.

        Args:
            point: The point: a value, as Optuna has it, for each name.
        """
        return {
            name: setting
            for key, value in self.values.items()
            for name, setting in value.settings(point[key]).items()
        }

    def ends(self) -> list[Point]:
        """The points of all first and of all last values."""
        return [
            {
                name: v.labels[i] if v.kind == 'choice' else v.values[i]
                for name, v in self.values.items()
            }
            for i in (0, -1)
        ]

    def find(self, settings: Mapping[str, Any]) -> Point | None:
        """The point that stands for given settings, if there is one.

        Args:
            settings: All settings of a configuration, by their names.
        """
        try:
            return {n: v.find(settings) for n, v in self.values.items()}
        except LookupError:
            return None


def _number(value: Any) -> Any:
    # YAML reads 1e-3 as a text, as it lacks the point of 1.0e-3.
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        return float(value)
    return value


def _label(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return json.dumps(value)
