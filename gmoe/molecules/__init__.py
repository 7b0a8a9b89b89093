"""Your own molecules: predictions, uncertainty, explanations, sharing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gmoe.common.lazy import lazy

if TYPE_CHECKING:
    from gmoe.molecules.predictions import Predictions
    from gmoe.molecules.trained_model import TrainedModel

__all__ = ['Predictions', 'TrainedModel']

__getattr__, __dir__ = lazy(
    __name__,
    {
        'Predictions': 'gmoe.molecules.predictions',
        'TrainedModel': 'gmoe.molecules.trained_model',
    },
)
