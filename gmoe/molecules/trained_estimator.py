"""What an estimator for molecules predicts once it is trained."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from gmoe.common.require import require
from gmoe.common.shown import counted, one_line, shown
from gmoe.molecules.array_table import as_smiles
from gmoe.molecules.exported import CALIBRATION
from gmoe.molecules.mean_score import mean_score
from gmoe.molecules.predictions import Predictions
from gmoe.molecules.target_form import TargetForm
from gmoe.molecules.trained_model import TrainedModel

require('sklearn', 'mol')

from sklearn.base import BaseEstimator  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.metrics import accuracy_score, r2_score  # noqa: E402
from sklearn.utils.metadata_routing import UNUSED  # noqa: E402

#: The share of a normal distribution within one standard deviation.
_ONE_STD = 0.6827
_SHOWN = 3


class TrainedEstimator(BaseEstimator):
    """The predictions of :class:`~gmoe.molecules.MoleculeModel`, whose
    training sets :attr:`trained_`, the networks, and the form of the
    targets."""

    # Molecules are no metadata: they are passed on by position.
    __metadata_request__predict = {'smiles': UNUSED}
    __metadata_request__predict_proba = {'smiles': UNUSED}
    __metadata_request__score = {'smiles': UNUSED}

    task: str
    num_workers: int | None
    #: The trained networks.
    trained_: TrainedModel
    _form: TargetForm

    def predict(self, smiles: Any, return_std: bool = False) -> Any:
        """Predicts values or classes.

        Args:
            smiles: The SMILES strings.
            return_std: Whether to return, for regression, the standard
                deviation of each value, too: half of the interval that holds
                68 % of the true values, by the molecules that the model was
                validated on and by how much the members of an ensemble
                differ.

        Returns:
            Values or labels of the shape of the targets in :meth:`fit`;
            :obj:`NaN` for molecules that are refused (:obj:`None` beside
            labels that are no numbers). With :obj:`return_std`, two arrays.

        Raises:
            NotFittedError: If it is not trained.
            ValueError: If :obj:`return_std` is asked of a classifier.
        """
        form = self._check_fitted()
        if return_std and form.labels is not None:
            raise ValueError(
                "'return_std' must be False for classification, got True: "
                "'predict_proba' says how sure a class is"
            )
        found = self._predictions(smiles, _ONE_STD if return_std else None)
        if found.classes is not None:
            return form.labelled(found.classes)
        values = form.shaped(found.values)
        if not return_std:
            return values
        assert found.intervals is not None
        bounds = found.intervals
        return values, form.shaped((bounds[..., 1] - bounds[..., 0]) / 2)

    def predict_interval(self, smiles: Any, level: float = 0.9) -> np.ndarray:
        """Intervals for values, by split-conformal prediction.

        Args:
            smiles: The SMILES strings.
            level: The share of intervals that are to hold the true value, for
                molecules that are like those of the training.

        Returns:
            Lower and upper bounds, of shape :math:`(N, 2)` or
            :math:`(N, T, 2)`; :obj:`NaN` for molecules that are refused.

        Raises:
            NotFittedError: If it is not trained.
            ValueError: If it is a classifier, or the level is no share.
        """
        form = self._check_fitted()
        if form.labels is not None:
            raise ValueError(
                "'task' must be 'regression' for intervals, got "
                f"{self.task!r}: 'predict_proba' says how sure a class is"
            )
        found = self._predictions(smiles, level)
        assert found.intervals is not None
        return form.shaped(found.intervals)

    def predict_proba(self, smiles: Any) -> Any:
        """Probabilities of the classes, calibrated on the molecules that the
        model was validated on.

        Args:
            smiles: The SMILES strings.

        Returns:
            An array :math:`(N, C)` in the order of :attr:`classes_`; a list
            of them where there are several targets, as of scikit-learn's
            classifiers. :obj:`NaN` for molecules that are refused.

        Raises:
            AttributeError: If it is a regressor.
            NotFittedError: If it is not trained.
        """
        if self.task == 'regression':
            raise AttributeError(
                "'predict_proba' needs a 'task' of classification, got "
                "'regression'"
            )
        form = self._check_fitted()
        values = self._predictions(smiles, None).values
        if form.is_1d:
            return values[:, 0]
        return [values[:, i] for i in range(values.shape[1])]

    @property
    def classes_(self) -> Any:
        """The classes; a list of arrays where there are several targets."""
        labels = self._form.labels if hasattr(self, '_form') else None
        if labels is None:
            raise AttributeError(
                "'classes_' are those of a trained classifier"
            )
        if self._form.is_1d:
            return labels
        return [labels] * self.trained_.info.num_tasks

    def score(self, smiles: Any, y: Any, sample_weight: Any = None) -> float:
        """R2 for regression, accuracy for classification, as the mean over
        targets. Molecules that are refused and missing targets are left out.

        Args:
            smiles: The SMILES strings.
            y: The targets.
            sample_weight: The weight of each molecule.

        Raises:
            NotFittedError: If it is not trained.
            ValueError: If nothing is left.
        """
        form = self._check_fitted()
        measure = r2_score if form.labels is None else accuracy_score
        return mean_score(measure, y, self.predict(smiles), sample_weight)

    def _check_fitted(self) -> TargetForm:
        if not hasattr(self, 'trained_'):
            raise NotFittedError(
                f'This {type(self).__name__} is not trained: call fit first'
            )
        return self._form

    def _predictions(self, smiles: Any, level: float | None) -> Predictions:
        texts = as_smiles(smiles)
        found = self.trained_.predict(
            texts, level, num_workers=self.num_workers
        )
        if level is not None and found.intervals is None:
            raise ValueError(
                'The model must have been saved with what its uncertainty is '
                f"made of, '{CALIBRATION}', got '{self.trained_.path}'"
            )
        refused = enumerate(zip(texts, found.reasons))
        warn_refused(
            [(i, text, reason) for i, (text, reason) in refused if reason],
            'without a prediction',
            stacklevel=4,
        )
        return found


def warn_refused(
    refused: list[tuple[int, str, str]], what: str, stacklevel: int
) -> None:
    """Warns of SMILES strings that were refused, if there are some.

    Args:
        refused: Position, SMILES string and reason of each.
        what: What has become of them.
        stacklevel: Whose line the warning names, as of ``warnings.warn``.
    """
    if refused:
        some = '; '.join(
            f'{shown(text)} at position {i}: {one_line(reason, 200)}'
            for i, text, reason in refused[:_SHOWN]
        )
        more = '; ...' if len(refused) > _SHOWN else ''
        warnings.warn(
            f'Refused and {what}: {counted(len(refused), "SMILES string")}: '
            f'{some}{more}',
            stacklevel=stacklevel,
        )
