"""Predictions, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gmoe.datasets.molecules.info import BINARY, MULTICLASS, MoleculeInfo


@dataclass
class Predictions:
    """Predictions for molecules, in the order in which they were asked for.

    What is of a molecule that was refused is NaN, false or empty.

    Args:
        info: What is predicted.
        values: Predicted values in the target's units; for classes, the
            probability of each.
        reasons: Why a molecule was refused, empty where it was not.
        spread: The standard deviation of :obj:`values` over the members of an
            ensemble.
        level: The share of intervals and sets that hold the truth.
        intervals: Of values: lower and upper bounds.
        sets: Of classes: whether each is in the set.
        similarity: That to the nearest molecule of the training, from 0 to 1.

    Shapes:
        - **values**, **spread:** :math:`(N, T)`, or :math:`(N, T, C)` for
          classes
        - **intervals:** :math:`(N, T, 2)`
        - **sets:** :math:`(N, T, C)`
        - **similarity:** :math:`(N)`
    """

    info: MoleculeInfo
    values: np.ndarray
    reasons: list[str]
    spread: np.ndarray | None = None
    level: float | None = None
    intervals: np.ndarray | None = None
    sets: np.ndarray | None = None
    similarity: np.ndarray | None = None
    #: Cells of the columns, once they are asked for.
    _columns: dict[str, Sequence[object]] = field(
        default_factory=dict, init=False, repr=False
    )

    @classmethod
    def joined(cls, parts: Sequence[Predictions]) -> Predictions:
        """Puts the predictions of some molecules behind those of others.

        Args:
            parts: One or more, of the same networks.
        """

        def join(name: str) -> Any:
            values = [getattr(part, name) for part in parts]
            return None if values[0] is None else np.concatenate(values)

        return cls(
            info=parts[0].info,
            values=join('values'),
            reasons=[reason for part in parts for reason in part.reasons],
            spread=join('spread'),
            level=parts[0].level,
            intervals=join('intervals'),
            sets=join('sets'),
            similarity=join('similarity'),
        )

    def __len__(self) -> int:
        return len(self.reasons)

    @property
    def classes(self) -> np.ndarray | None:
        """The number of the likeliest class of each target, -1 of molecules
        that were refused; :obj:`None` for values."""
        if self.info.classes is None:
            return None
        known = np.isfinite(self.values).all(axis=2)
        likeliest = np.where(known[..., None], self.values, 0).argmax(axis=2)
        return np.where(known, likeliest, -1)

    def columns(self) -> dict[str, Sequence[object]]:
        """The predictions as columns of a table, by their names: for a target
        ``solubility``,

        - ``solubility_predicted``: the value, or the likeliest class,
        - ``solubility_probability``: that of the second of two classes;
          ``solubility_probability_CLASS`` for each of several,
        - ``solubility_std``: the spread over the members of an ensemble, of
          the value or of the probabilities above,
        - ``solubility_low`` and ``solubility_high``: the interval,
        - ``solubility_set``: the set of classes, with bars between them,

        then ``similarity`` and ``reason``. Cells of molecules that were
        refused are :obj:`None`.
        """
        if not self._columns:
            for number, name in enumerate(self.info.targets):
                self._columns |= self._target(number, name)
            if self.similarity is not None:
                self._columns['similarity'] = _cells(self.similarity)
            self._columns['reason'] = list(self.reasons)
        return self._columns

    def _target(self, number: int, name: str) -> dict[str, Sequence[object]]:
        if self.info.classes is None:
            columns: dict[str, Sequence[object]] = {
                f'{name}_predicted': _cells(self.values[:, number])
            }
            if self.spread is not None:
                columns[f'{name}_std'] = _cells(self.spread[:, number])
            if self.intervals is not None:
                low, high = self.intervals[:, number].T
                columns[f'{name}_low'] = _cells(low)
                columns[f'{name}_high'] = _cells(high)
            return columns
        return self._classes(number, name, self.info.classes)

    def _classes(
        self, number: int, name: str, classes: tuple[str, ...]
    ) -> dict[str, Sequence[object]]:
        found = self.classes
        assert found is not None
        known = found[:, number] >= 0
        columns: dict[str, Sequence[object]] = {
            f'{name}_predicted': [
                classes[i] if i >= 0 else None for i in found[:, number]
            ]
        }
        kinds = {'probability': self.values}
        if self.spread is not None:
            kinds['std'] = self.spread
        for kind, value in kinds.items():
            if self.info.task_type == BINARY:
                columns[f'{name}_{kind}'] = _cells(value[:, number, 1])
                continue
            for i, label in enumerate(classes):
                column = f'{name}_{kind}_{label}'
                columns[column] = _cells(value[:, number, i])
        if self.sets is not None:
            names = np.array(classes, dtype=object)
            columns[f'{name}_set'] = [
                '|'.join(names[row]) if is_known else None
                for row, is_known in zip(self.sets[:, number], known)
            ]
        return columns


def by_class(values: np.ndarray, info: MoleculeInfo) -> np.ndarray:
    """Probabilities as a network gives them, as those of each target's
    classes.

    Args:
        values: One column for each target, the probability of its second
            class; or, of several classes, one column for each.
        info: What is predicted.

    Returns:
        Those of each class, of shape ``[N, T, C]``; values of regression as
        they are.
    """
    if info.task_type == MULTICLASS:
        return values[:, None, :]
    if info.task_type == BINARY:
        return np.stack([1 - values, values], axis=2)
    return values


def _cells(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
