"""The form in which targets were given, which predictions take again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gmoe.common.shown import shown
from gmoe.datasets.molecules.info import MoleculeInfo


@dataclass(frozen=True)
class TargetForm:
    """What arrays of targets were like.

    Args:
        labels: The classes as they were given, in the order of their
            numbers; :obj:`None` for regression.
        is_1d: Whether the targets were given without a dimension of their
            own.
    """

    labels: np.ndarray | None
    is_1d: bool

    @classmethod
    def from_dict(
        cls, kept: Mapping[str, Any], info: MoleculeInfo, folder: object
    ) -> TargetForm:
        """Makes it of what :meth:`to_dict` has returned.

        Args:
            kept: Its values, as a file may hold them that somebody else has
                written. What is missing is that of the networks.
            info: The targets of the networks.
            folder: Where they are from.

        Raises:
            ValueError: If there are not as many labels as classes.
        """
        labels = None
        if info.classes is not None:
            labels = np.array(kept.get('labels') or info.classes)
            if labels.shape != (len(info.classes),):
                raise ValueError(
                    f"'folder' must have {len(info.classes)} labels for its "
                    f"classes, got '{folder}' with {shown(labels.tolist())}"
                )
        is_single = info.num_tasks == 1
        return cls(labels, is_single and kept.get('is_1d', True) is True)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, which JSON can hold."""
        labels = None if self.labels is None else self.labels.tolist()
        return {'labels': labels, 'is_1d': self.is_1d}

    def shaped(self, values: np.ndarray) -> np.ndarray:
        """Returns values of each target in the shape of the targets.

        Args:
            values: Of shape :math:`(N, T, ...)`.
        """
        return values[:, 0] if self.is_1d else values

    def labelled(self, classes: np.ndarray) -> np.ndarray:
        """Returns labels of classes in the shape of the targets; where there
        is no class :obj:`NaN`, or :obj:`None` beside labels that are no
        numbers.

        Args:
            classes: The numbers of the classes :math:`(N, T)`, negative where
                there is none.
        """
        assert self.labels is not None
        labels = self.labels[classes]
        is_missing = classes < 0
        if is_missing.any():  # No number or text of the labels' own is free.
            is_number = np.issubdtype(labels.dtype, np.number)
            labels = labels.astype(float if is_number else object)
            labels[is_missing] = np.nan if is_number else None
        return self.shaped(labels)
