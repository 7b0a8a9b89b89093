"""How sure predictions are: intervals, sets of classes, calibrated
probabilities, and how near the molecules of the training are."""

from gmoe.molecules.uncertainty.coverage import coverage, set_coverage
from gmoe.molecules.uncertainty.intervals import ConformalIntervals
from gmoe.molecules.uncertainty.isotonic import IsotonicCalibration
from gmoe.molecules.uncertainty.nearest import NearestMolecule
from gmoe.molecules.uncertainty.reliability import (
    calibration_error,
    draw_reliability,
)
from gmoe.molecules.uncertainty.sets import ConformalSets
from gmoe.molecules.uncertainty.temperature import TemperatureCalibration

__all__ = [
    'ConformalIntervals',
    'ConformalSets',
    'IsotonicCalibration',
    'NearestMolecule',
    'TemperatureCalibration',
    'calibration_error',
    'coverage',
    'draw_reliability',
    'set_coverage',
]
