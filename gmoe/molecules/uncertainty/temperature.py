"""Probabilities that are made more or less extreme by one number."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from gmoe.molecules.uncertainty.labelled import are_enough, labelled

#: The least and the most extreme temperature, against data without errors.
_BOUND = 3.0
_TINY = 1e-12


class TemperatureCalibration:
    r"""Divides logits by a temperature (`Guo et al. 2017
    <https://arxiv.org/abs/1706.04599>`_), which is that of the largest
    likelihood, found by L-BFGS.

    The order of a molecule's classes stays, and for two classes so does the
    order of molecules: their ROC-AUC is the same.

    Args:
        probability: Predicted probabilities.
        label: The number of the known class, NaN or negative where it is not
            known: such molecules do not count.

    Shapes:
        - **probability:** :math:`(n, C)`
        - **label:** :math:`(n)`

    Raises:
        ValueError: If shapes do not fit.
    """

    def __init__(self, probability: np.ndarray, label: np.ndarray) -> None:
        probability, label = labelled(probability, label)
        #: Whether there were molecules enough, of more than one class.
        self.is_fitted = are_enough(label)
        self.temperature = 1.0
        if self.is_fitted:
            self.temperature = _fit(_log(probability), torch.tensor(label))

    def __call__(self, probability: np.ndarray) -> np.ndarray:
        """Calibrates probabilities.

        Args:
            probability: Predicted probabilities.

        Shapes:
            - **probability**, **output:** :math:`(N, C)`
        """
        if self.temperature == 1:
            return np.asarray(probability, dtype=np.float64)
        scaled = _log(np.asarray(probability)) / self.temperature
        return scaled.softmax(dim=1).numpy()


def _log(probability: np.ndarray) -> torch.Tensor:
    tensor = torch.from_numpy(np.array(probability, dtype=np.float64))
    return tensor.clamp(min=_TINY).log()


def _fit(logits: torch.Tensor, label: torch.Tensor) -> float:
    log = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [log], max_iter=100, line_search_fn='strong_wolfe'
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        bounded = log.clamp(-_BOUND, _BOUND).exp()
        value = functional.cross_entropy(logits / bounded, label)
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    return float(log.detach().clamp(-_BOUND, _BOUND).exp())
