"""A trained network, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gmoe.datasets.molecules.info import MoleculeInfo
from gmoe.molecules.calibration_data import CalibrationData
from gmoe.training.graph_predictor import GraphPredictor


@dataclass(frozen=True)
class Member:
    """A trained network: a single one, or one of an ensemble.

    Args:
        predictor: The network, in evaluation mode.
        info: What it predicts.
        two_hop: Which hop-2 edges it reads; see
            :class:`~gmoe.transforms.TwoHop`.
        calibration: What the uncertainty of its predictions is made of, or
            the file that holds it, if any.
        is_ogb: Whether it was trained on a dataset of OGB, whose molecules
            are in an order of their own.
        training: What an exported folder tells of its training, by name:
            plain values.
    """

    predictor: GraphPredictor
    info: MoleculeInfo
    two_hop: str = 'exact'
    calibration: Path | CalibrationData | None = None
    is_ogb: bool = False
    training: dict[str, Any] = field(default_factory=dict)
