"""Molecules and targets in memory as a table of molecules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gmoe.common.arguments import check_choice
from gmoe.common.shown import shown
from gmoe.datasets.molecules.info import (
    BINARY,
    MULTICLASS,
    REGRESSION,
    MoleculeInfo,
)
from gmoe.datasets.molecules.table import MoleculeTable
from gmoe.datasets.molecules.values import LARGEST
from gmoe.molecules.target_form import TargetForm

#: What a task is called; of a classification, the classes tell its kind.
TASKS = ('regression', 'classification', 'binary', 'multiclass')


@dataclass(frozen=True)
class ArrayTable:
    """A table that was made of arrays.

    Args:
        table: The table, whose rows are positions in the arrays.
        form: The form of the targets.
    """

    table: MoleculeTable
    form: TargetForm


def array_table(
    smiles: Any, y: Any, task: str, weights: Any = None
) -> ArrayTable:
    """Makes a table of arrays.

    Args:
        smiles: See :func:`as_smiles`.
        y: The targets :math:`(N)` or :math:`(N, T)`: values or labels, with
            :obj:`NaN` or :obj:`None` where one is missing. Names of columns,
            as pandas has them, are kept.
        task: One of :obj:`TASKS`.
        weights: The weight of each molecule in the loss.

    Raises:
        TypeError: If a SMILES string is no string.
        ValueError: If lengths differ, or values are not those of the task.
    """
    check_choice('task', task, TASKS)
    texts = as_smiles(smiles)
    values = np.asarray(y, dtype=object)
    is_matrix = values.ndim in (1, 2) and values.size > 0
    if not is_matrix or len(values) != len(texts):
        raise ValueError(
            f"'y' must have one value or row for each of {len(texts)} SMILES "
            f'strings, got shape {values.shape}'
        )
    rows = values.reshape(len(texts), -1)
    names = _names(y, rows.shape[1])
    if task == 'regression':
        numbers, labels, kind = _numbers(rows), None, REGRESSION
    else:
        numbers, labels, kind = _classes(rows, task)
    classes = None if labels is None else tuple(map(_name, labels.tolist()))
    table = MoleculeTable(
        texts,
        list(range(len(texts))),
        numbers,
        None if weights is None else as_weights(weights, len(texts)),
        None,
        MoleculeInfo(names, kind, classes),
    )
    return ArrayTable(table, TargetForm(labels, values.ndim == 1))


def as_smiles(smiles: Any) -> list[str]:
    """SMILES strings as a list. One that is missing is empty, and refused
    later as such.

    Args:
        smiles: A list, array or series, or an array or table of one column.

    Raises:
        TypeError: If it is a single string, or holds what is no string.
        ValueError: If it has several columns.
    """
    if isinstance(smiles, (str, bytes)):
        raise TypeError(
            "'smiles' must be a sequence of strings, got a single one: "
            f'{shown(smiles)}'
        )
    values = np.asarray(smiles, dtype=object)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(
            "'smiles' must be a sequence of strings, got an array of shape "
            f'{values.shape}'
        )
    out: list[str] = []
    for i, value in enumerate(values.tolist()):
        if isinstance(value, str):
            out.append(str(value))
        elif is_missing(value):
            out.append('')
        else:
            raise TypeError(
                f"'smiles' must be strings, got {shown(value)} at position {i}"
            )
    return out


def _names(y: Any, count: int) -> tuple[str, ...]:
    columns = getattr(y, 'columns', None)
    if columns is None:
        name = getattr(y, 'name', None)
        columns = [name] if isinstance(name, str) and count == 1 else None
    if columns is not None:
        names = tuple(str(name) for name in columns)
        if len(set(names)) == count:
            return names
    return ('y',) if count == 1 else tuple(f'y{i}' for i in range(count))


def _numbers(rows: np.ndarray) -> np.ndarray:
    out = np.empty(rows.shape, dtype=np.float64)
    for (i, j), value in np.ndenumerate(rows):
        try:
            out[i, j] = math.nan if is_missing(value) else float(value)
        except (TypeError, ValueError):
            out[i, j] = math.inf
        if abs(out[i, j]) > LARGEST:
            raise ValueError(
                f"'y' must be numbers of at most {LARGEST:g}, or NaN where "
                f'one is missing, got {shown(value)} at position {i}'
            )
    _check_labelled(~np.isnan(out))
    return out


def _classes(
    rows: np.ndarray, task: str
) -> tuple[np.ndarray, np.ndarray, str]:
    is_known = np.array(
        [[not is_missing(value) for value in row] for row in rows], dtype=bool
    ).reshape(rows.shape)
    _check_labelled(is_known)
    try:
        labels = np.unique(np.array(rows[is_known].tolist()))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"'y' must be labels of one type, got {shown(rows[is_known][:3])}"
        ) from error
    most = 2 if task == 'binary' or rows.shape[1] > 1 else len(labels)
    if not 2 <= len(labels) <= most:
        several = 'several targets have' if rows.shape[1] > 1 else 'it has'
        limit = 'two classes' if most == 2 else 'two classes or more'
        raise ValueError(
            f"'y' must have {limit} where {several} task {task!r}, got "
            f'{len(labels)}: {shown(labels.tolist())}'
        )
    is_binary = len(labels) == 2 and task != 'multiclass'
    numbers = np.full(rows.shape, np.nan if is_binary else -1.0)
    known = np.array(rows[is_known].tolist(), dtype=labels.dtype)
    numbers[is_known] = np.searchsorted(labels, known)
    return numbers, labels, BINARY if is_binary else MULTICLASS


def _check_labelled(is_known: np.ndarray) -> None:
    for j, column in enumerate(is_known.T):
        if not column.any():
            raise ValueError(
                f"'y' must have a label in each column, got none in column {j}"
            )


def as_weights(weights: Any, count: int) -> np.ndarray:
    """The weights of molecules.

    Args:
        weights: A list, array or series.
        count: How many molecules there are.

    Raises:
        ValueError: If they are not as many, negative, or all of them zero.
    """
    try:
        out = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        out = np.empty(0)
    is_weight = (out >= 0) & (out <= LARGEST)
    if out.shape != (count,) or not is_weight.all() or not out.any():
        raise ValueError(
            f"'sample_weight' must be {count} numbers from 0 to {LARGEST:g}, "
            f'not all of them 0, got {shown(weights)}'
        )
    return out


def _name(label: Any) -> str:
    if isinstance(label, float) and label.is_integer():
        return str(int(label))  # Labels are so where others are missing.
    return str(label)


def is_missing(value: Any) -> bool:
    """Whether a value stands for none, in Python, numpy or pandas.

    Args:
        value: The value.
    """
    if value is None or type(value).__name__ == 'NAType':  # Of pandas.
        return True
    return isinstance(value, float) and math.isnan(value)
