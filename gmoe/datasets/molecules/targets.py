"""The task of target columns, and their values as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gmoe.common.arguments import check_choice
from gmoe.common.shown import shown
from gmoe.datasets.molecules.columns import kind
from gmoe.datasets.molecules.info import BINARY, MULTICLASS, REGRESSION
from gmoe.datasets.molecules.values import Column, key, sorted_labels

#: The names of tasks that are accepted.
TASKS = {
    'binary': BINARY,
    'multiclass': MULTICLASS,
    'regression': REGRESSION,
    BINARY: BINARY,
    MULTICLASS: MULTICLASS,
}
#: The most classes, and the fewest labels of a table.
MAX_CLASSES = 1_000
MIN_LABELS = 10


@dataclass(frozen=True)
class Targets:
    r"""Target columns as numbers.

    Args:
        y: The targets, float64 :math:`(N, T)`: values, or numbers of
            classes. What is missing is :obj:`NaN`, or -1 for a multiclass
            target.
        task_type: The kind of the task.
        classes: The names of the classes, :obj:`None` for regression.
        said: What was decided, a sentence each.
    """

    y: np.ndarray
    task_type: str
    classes: tuple[str, ...] | None
    said: list[str] = field(default_factory=list)


def read_targets(
    columns: Sequence[Column], task: str | None, file: str
) -> Targets:
    """Tells the task of target columns from their values, if it is not
    given, and reads these.

    Args:
        columns: The columns.
        task: The task, one of :obj:`TASKS`.
        file: The file, for messages.

    Raises:
        ValueError: If the columns are of several tasks, or not of the one
            given, or have too few labels.
    """
    if task is not None:
        check_choice('task', task, TASKS)
    for column in columns:
        if not column.num_labels:
            raise ValueError(
                f"'{file}': the target '{column.name}' must have labels, got "
                'none in any row'
            )
    said = []
    if task is None:
        task = told(columns)
    labelled = ~np.all([column.is_missing for column in columns], axis=0)
    if labelled.sum() < MIN_LABELS:
        raise ValueError(
            f"'{file}' must have at least {MIN_LABELS} molecules with labels, "
            f'got {labelled.sum()}'
        )
    task_type, classes = TASKS[task], None
    if task_type == REGRESSION:
        y = _numbers(columns)
    else:
        classes, y = _classes(columns, task_type)
    said.append(
        f'task: {task_type}'
        + (f', classes {shown(list(classes), 200)}' if classes else '')
    )
    missing = int(sum(column.is_missing.sum() for column in columns))
    if missing:
        said.append(f'{missing} of {y.size} labels are missing')
    for column in columns:
        if column.has_decimal_comma:
            said.append(f"'{column.name}' has decimal commas")
    return Targets(y, task_type, classes, said)


def told(columns: Sequence[Column]) -> str:
    """Tells the task of target columns from their values.

    Args:
        columns: The columns.

    Raises:
        ValueError: If they are of several tasks.
    """
    kinds = {column.name: kind(column) for column in columns}
    found = set(kinds.values())
    if found == {'constant'}:
        first = columns[0]
        raise ValueError(
            f"The target '{first.name}' must have several values, got only "
            f'{shown(first.values()[0])}'
        )
    if found <= {'binary', 'constant'}:
        return 'binary'
    if len(columns) == 1 and found <= {'classes', 'text'}:
        return 'multiclass'
    for column in columns:
        if kinds[column.name] == 'text':
            column.check_numbers()
    if 'binary' in found:
        two = [name for name, kind in kinds.items() if kind == 'binary']
        others = [name for name in kinds if name not in two]
        raise ValueError(
            f"'targets' must be of one task, got two values in {_few(two)} "
            f"and others in {_few(others)}: pass fewer 'targets', or "
            "'task' regression for all"
        )
    return 'regression'


def _few(names: Sequence[str]) -> str:
    return shown(list(names[:5]), 200)


def _numbers(columns: Sequence[Column]) -> np.ndarray:
    for column in columns:
        column.check_numbers()
        numbers = column.numbers[~column.is_missing]
        if numbers.min() == numbers.max() and len(columns) == 1:
            raise ValueError(
                f"The target '{column.name}' must have several values, got "
                f'only {numbers[0]:g}'
            )
    return np.stack([column.numbers for column in columns], axis=1)


def _classes(
    columns: Sequence[Column], task_type: str
) -> tuple[tuple[str, ...], np.ndarray]:
    values: dict[str, str] = {}
    for column in columns:
        for value in column.values():
            values.setdefault(key(value), value)
    names = sorted_labels(values.values())
    is_binary = task_type == BINARY
    most = 2 if is_binary else MAX_CLASSES
    if not is_binary and len(columns) > 1:
        raise ValueError(
            f"'targets' must be one column for 'task' {task_type}, got "
            f'{_few([column.name for column in columns])}'
        )
    if not 2 <= len(names) <= most:
        rule = 'two' if is_binary else f'2 to {most}'
        raise ValueError(
            f"'targets' must have {rule} values for 'task' {task_type}, got "
            f'{len(names)} in {_few([column.name for column in columns])}: '
            f'{shown(names, 100)}'
        )
    number = {key(name): i for i, name in enumerate(names)}
    y = np.full((len(columns[0].cells), len(columns)), np.nan)
    for t, column in enumerate(columns):
        for row in np.flatnonzero(~column.is_missing).tolist():
            y[row, t] = number[key(column.cells[row])]
    if not is_binary:
        y = np.nan_to_num(y, nan=-1)
    return tuple(names), y
