"""What a run leaves for the uncertainty of its predictions, as a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gmoe.common.files import replacing
from gmoe.common.require import require
from gmoe.common.shown import one_line
from gmoe.molecules.uncertainty.nearest import NUM_BYTES

#: The version of the file.
FORMAT = 'gmoe-calibration-1'
MAX_BYTES = 2**31

#: The numbers in the file, with what type and dimensions.
_PARTS = {
    'prediction': ('float32', 2),
    'target': ('float64', 2),
    'row': ('int64', 1),
    'fingerprints': ('uint8', 2),
}


@dataclass(frozen=True)
class CalibrationData:
    """Predictions for molecules that a network was not trained on, and which
    molecules it was trained on.

    Args:
        prediction: Predictions for the molecules of the validation split:
            values in the target's units, or probabilities.
        target: Their known values or numbers of classes, NaN where there is
            none.
        row: Their numbers in the dataset.
        fingerprints: Those of the molecules of the training split; see
            :mod:`gmoe.molecules.uncertainty.nearest`.

    Shapes:
        - **prediction:** float32 :math:`(n, O)`, one column for each output
        - **target:** float64 :math:`(n, T)`, one column for each target
        - **row:** int64 :math:`(n)`
        - **fingerprints:** uint8 :math:`(m, 256)`

    Raises:
        ValueError: If types or shapes are others.
    """

    prediction: np.ndarray
    target: np.ndarray
    row: np.ndarray
    fingerprints: np.ndarray

    def __post_init__(self) -> None:
        for name, (dtype, ndim) in _PARTS.items():
            value = getattr(self, name)
            if value.dtype != dtype or value.ndim != ndim:
                raise ValueError(
                    f"'{name}' must be {dtype} in {ndim} dimensions, got "
                    f'{value.dtype} of shape {value.shape}'
                )
        sizes = {len(self.prediction), len(self.target), len(self.row)}
        if len(sizes) > 1 or self.fingerprints.shape[1] != NUM_BYTES:
            raise ValueError(
                "'prediction', 'target' and 'row' must be of as many "
                f"molecules, and 'fingerprints' of {NUM_BYTES} bytes, got "
                f'{sorted(sizes)} molecules, {self.fingerprints.shape[1]} '
                'bytes'
            )

    def save(self, path: str | Path) -> None:
        """Writes the file, whole or not at all.

        Args:
            path: The file, in a folder that exists.

        Raises:
            ImportError: If safetensors is not installed.
            OSError: If it cannot be written.
        """
        save = require('safetensors.numpy', 'mol').save
        parts = {n: np.ascontiguousarray(getattr(self, n)) for n in _PARTS}
        with replacing(Path(path)) as file:
            file.write(save(parts, {'format': FORMAT}))

    @classmethod
    def load(cls, path: str | Path) -> CalibrationData:
        """Reads a file that may come from anywhere.

        Args:
            path: The file.

        Raises:
            ImportError: If safetensors is not installed.
            ValueError: If it is no such file, or damaged.
        """
        path = Path(path)
        try:
            size = path.stat().st_size
            if size > MAX_BYTES:
                raise ValueError(f'it has {size} bytes, more than {MAX_BYTES}')
            safetensors = require('safetensors', 'mol')
            with safetensors.safe_open(path, 'numpy') as file:
                version = (file.metadata() or {}).get('format')
                if version != FORMAT:
                    raise ValueError(
                        f'its format is {one_line(version)!r}, not {FORMAT!r}'
                    )
                return cls(**{n: file.get_tensor(n) for n in _PARTS})
        except ImportError:
            raise
        except Exception as error:  # Of many kinds, by what is wrong.
            raise ValueError(
                f"'{path}' must be what a run of 'gmoe fit' leaves for the "
                f'uncertainty of its predictions: {one_line(error, 200)}'
            ) from error


@dataclass(frozen=True)
class HeldOut:
    """Predictions of all members of an ensemble for molecules that they were
    not trained on.

    Args:
        prediction: The mean over the members.
        spread: Their standard deviation; :obj:`None` where each molecule is
            held out by one member only.
        target: Known values or numbers of classes, NaN where there is none,
            or where the prediction is not finite.
    """

    prediction: np.ndarray
    spread: np.ndarray | None
    target: np.ndarray

    def __post_init__(self) -> None:
        finite = np.isfinite(self.prediction)
        if finite.shape != self.target.shape:  # Of several classes, one value.
            finite = finite.all(axis=1, keepdims=True)
        known = np.where(finite, self.target, np.nan)
        object.__setattr__(self, 'target', known)


def held_out(parts: list[CalibrationData]) -> HeldOut:
    """Joins what the members of an ensemble have left.

    Members that are validated on the same molecules predict together, as they
    will for new ones. Members of several folds predict those of their own:
    their errors are those of single networks, and intervals that come of them
    are wide rather than narrow for the ensemble (`Barber et al. 2021
    <https://arxiv.org/abs/1905.02928>`_).

    Args:
        parts: One for each member.
    """
    first = parts[0]
    same = all(
        np.array_equal(first.row, part.row)
        and np.array_equal(first.target, part.target, equal_nan=True)
        for part in parts
    )
    if len(parts) > 1 and same:
        stacked = np.stack([part.prediction for part in parts])
        mean, deviation = mean_and_spread(stacked)
        return HeldOut(mean, deviation, first.target)
    return HeldOut(
        np.concatenate([part.prediction for part in parts]).astype(float),
        None,
        np.concatenate([part.target for part in parts]),
    )


def mean_and_spread(stacked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The prediction of an ensemble, and how much its members differ.

    Args:
        stacked: Predictions, those of each member behind one another.

    Returns:
        The mean, and the standard deviation with one degree of freedom less
        than there are members, zero for a single one; both in float64, and
        not finite where a prediction is not.
    """
    stacked = stacked.astype(np.float64)
    with np.errstate(invalid='ignore'):
        mean = stacked.mean(axis=0)
        if len(stacked) == 1:
            return mean, np.zeros_like(mean)
        return mean, stacked.std(axis=0, ddof=1)
