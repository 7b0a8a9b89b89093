"""SMILES strings in, properties out, with the conventions of scikit-learn."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmoe.common.arguments import check_choice, check_integer, check_share
from gmoe.common.require import require
from gmoe.common.shown import counted, one_line, shown
from gmoe.datasets.molecules.splits import KINDS
from gmoe.molecules.array_table import (
    TASKS,
    array_table,
    as_smiles,
    as_weights,
    is_missing,
    missing_of,
)
from gmoe.molecules.exported import CALIBRATION
from gmoe.molecules.fit_settings import read_settings
from gmoe.molecules.fitted_model import (
    fitted_model,
    load_fitted,
    save_fitted,
)
from gmoe.molecules.fitting import fit_table
from gmoe.molecules.predictions import Predictions
from gmoe.molecules.trained_model import TrainedModel

require('sklearn', 'mol')

from sklearn.base import BaseEstimator  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.metrics import accuracy_score, r2_score  # noqa: E402
from sklearn.utils import (  # noqa: E402
    ClassifierTags,
    RegressorTags,
    check_random_state,
)
from sklearn.utils.metadata_routing import UNUSED  # noqa: E402

if TYPE_CHECKING:
    from typing_extensions import Self

#: The share of a normal distribution within one standard deviation.
_ONE_STD = 0.6827
#: The fewest molecules that are trained on.
_MIN_MOLECULES = 10
_SHOWN = 3


class MoleculeModel(BaseEstimator):
    """Predicts properties of molecules from their SMILES strings, as an
    estimator of scikit-learn::

        from gmoe.molecules import MoleculeModel

        model = MoleculeModel(task='regression').fit(smiles, y)
        value, std = model.predict(others, return_std=True)

    It is a regressor or a classifier, by its task, and works where those do:
    in ``cross_val_score``, ``GridSearchCV``, pipelines and joblib. What is
    trained is what ``gmoe fit`` trains, and :meth:`save` writes what ``gmoe
    predict`` and :class:`~gmoe.molecules.TrainedModel` read. Needs RDKit,
    ``pip install "gmoe[mol]"``.

    Targets are :math:`(N)` or :math:`(N, T)`, with :obj:`NaN` or :obj:`None`
    where one is missing. SMILES strings that are refused are left out of the
    training and have :obj:`NaN` as their prediction, each with a warning;
    :attr:`skipped_` has those of the training.

    Args:
        task: ``"regression"``, ``"classification"``, or, to be sure of its
            kind, ``"binary"`` or ``"multiclass"``.
        config: The settings of the network and its training:
            ``"default"`` (a mixture of experts), ``"single"``, ``"fast"``, or
            a YAML file for ``gmoe fit``.
        ensemble: The number of networks that predict together. They differ
            in their seeds.
        max_epochs: The number of epochs. (default: that of the configuration)
        validation_fraction: The share of molecules that chooses the best
            epoch, and measures how far predictions are off.
        split: How these are drawn, of
            :obj:`gmoe.datasets.molecules.splits.KINDS`. (default: at random,
            with the same share of each class)
        random_state: The seed of everything random, as of scikit-learn.
        accelerator: Where to train: ``"cpu"``, ``"gpu"`` or ``"auto"``.
        num_workers: The number of processes that read SMILES strings.
            (default: none for a few, one for each CPU for many)
        verbose: Whether to print what is decided, and the progress.
    """

    # Molecules are no metadata: they are passed on by position.
    __metadata_request__fit = {'smiles': UNUSED}
    __metadata_request__predict = {'smiles': UNUSED}
    __metadata_request__predict_proba = {'smiles': UNUSED}
    __metadata_request__score = {'smiles': UNUSED}

    def __init__(
        self,
        task: str = 'regression',
        config: str | os.PathLike[str] = 'default',
        ensemble: int = 1,
        max_epochs: int | None = None,
        validation_fraction: float = 0.1,
        split: str | None = None,
        random_state: Any = None,
        accelerator: str = 'auto',
        num_workers: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.task = task
        self.config = config
        self.ensemble = ensemble
        self.max_epochs = max_epochs
        self.validation_fraction = validation_fraction
        self.split = split
        self.random_state = random_state
        self.accelerator = accelerator
        self.num_workers = num_workers
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if self.task == 'regression':
            tags.estimator_type = 'regressor'
            tags.regressor_tags = RegressorTags()
        else:
            tags.estimator_type = 'classifier'
            tags.classifier_tags = ClassifierTags()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags

    def fit(self, smiles: Any, y: Any, sample_weight: Any = None) -> Self:
        """Trains on molecules.

        Args:
            smiles: Their SMILES strings: a list, an array or a column.
            y: The targets, :math:`(N)` or :math:`(N, T)`, :obj:`NaN` or
                :obj:`None` where one is missing: values, or labels of any
                one type.
            sample_weight: The weight of each molecule in the loss.

        Raises:
            ImportError: If RDKit is not installed.
            TypeError: If a SMILES string is no string.
            ValueError: If an argument is out of range, or there are fewer
                than ten molecules.
            ~gmoe.training.TrainingDivergedError: If the training diverged.
        """
        self._check()
        arrays = array_table(smiles, y, self.task, sample_weight)
        count = len(arrays.table.smiles)
        if count < _MIN_MOLECULES:
            raise ValueError(
                f"'smiles' must be at least {_MIN_MOLECULES} molecules to "
                f'train on, got {count}'
            )
        random = check_random_state(self.random_state)
        trainer = {'accelerator': self.accelerator, 'devices': 1}
        if self.max_epochs is not None:
            trainer['max_epochs'] = self.max_epochs
        fitted = fit_table(
            arrays.table,
            read_settings(self.config),
            int(random.randint(2**31 - 1)),
            self.ensemble,
            self.validation_fraction,
            self.split,
            bool(self.verbose),
            **trainer,
        )
        dataset = fitted.dataset
        self._keep(
            fitted_model(fitted),
            arrays.labels,
            arrays.is_1d,
            len(dataset),
            [(row.row, row.smiles, row.reason) for row in dataset.skipped],
        )
        refused = [row for row in self.skipped_ if row[2] != 'no label']
        _warn(refused, 'left out of the training')
        return self

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
        self._check_fitted()
        if return_std and self._labels is not None:
            raise ValueError(
                "'return_std' must be False for classification, got True: "
                "'predict_proba' says how sure a class is"
            )
        found = self._predictions(smiles, _ONE_STD if return_std else None)
        if self._labels is not None:
            return self._as_labels(found)
        values = self._shaped(found.values)
        if not return_std:
            return values
        assert found.intervals is not None
        bounds = found.intervals
        return values, self._shaped((bounds[..., 1] - bounds[..., 0]) / 2)

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
        self._check_fitted()
        if self._labels is not None:
            raise ValueError(
                "'task' must be 'regression' for intervals, got "
                f"{self.task!r}: 'predict_proba' says how sure a class is"
            )
        found = self._predictions(smiles, level)
        assert found.intervals is not None
        return self._shaped(found.intervals)

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
        self._check_fitted()
        values = self._predictions(smiles, None).values
        if self._is_1d:
            return values[:, 0]
        return [values[:, i] for i in range(values.shape[1])]

    @property
    def classes_(self) -> Any:
        """The classes; a list of arrays where there are several targets."""
        labels = getattr(self, '_labels', None)
        if labels is None:
            raise AttributeError(
                "'classes_' are those of a trained classifier"
            )
        if self._is_1d:
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
        self._check_fitted()
        given = np.asarray(y, dtype=object)
        target = given[:, None] if given.ndim == 1 else given
        guess = np.asarray(self.predict(smiles), dtype=object)
        guess = guess[:, None] if guess.ndim == 1 else guess
        if target.shape != guess.shape:
            raise ValueError(
                f"'y' must be of shape {guess.shape}, got {target.shape}"
            )
        weights = None
        if sample_weight is not None:
            weights = as_weights(sample_weight, len(guess))
        measure = r2_score if self._labels is None else accuracy_score
        scores = []
        for i in range(target.shape[1]):
            both = zip(target[:, i], guess[:, i])
            kept = np.array([not any(map(is_missing, row)) for row in both])
            if kept.any():
                weight = None if weights is None else weights[kept]
                parts = target[kept, i].tolist(), guess[kept, i].tolist()
                scores.append(measure(*parts, sample_weight=weight))
        if not scores:
            raise ValueError(
                "'y' must have a value for a molecule that is not refused, "
                'got none'
            )
        return float(np.mean(scores))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes the model to a folder that can be given to others, and that
        ``gmoe predict`` reads: JSON, safetensors and a model card, no pickle.

        Args:
            folder: The folder, which must not exist yet.

        Raises:
            NotFittedError: If it is not trained.
            ValueError: If there is something, or it cannot be written.
        """
        self._check_fitted()
        labels = None if self._labels is None else self._labels.tolist()
        params = self.get_params()
        if not isinstance(params['random_state'], int):
            params['random_state'] = None  # A generator is no plain value.
        params['config'] = str(params['config'])
        estimator = {
            'params': params,
            'labels': labels,
            'is_1d': self._is_1d,
            'num_molecules': self._num_molecules,
            'split': self.split or 'at random, by the seed',
        }
        save_fitted(Path(folder).expanduser(), self.trained_, estimator)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], **hub: Any) -> Self:
        """Reads a model that :meth:`save`, ``gmoe fit`` or ``gmoe export``
        has written.

        Args:
            folder: The folder, or the name of a repository of the hub.
            **hub: See :meth:`gmoe.molecules.TrainedModel.load`.

        Raises:
            ValueError: If there is no such model, or it is damaged.
        """
        trained, kept = load_fitted(folder, **hub)
        info = trained.info
        task = 'regression' if info.classes is None else 'classification'
        given = kept.get('params')
        params = given if isinstance(given, dict) else {}
        known = cls._get_param_names()
        params = {k: v for k, v in params.items() if k in known}
        model = cls(
            **{'ensemble': len(trained.members), **params, 'task': task}
        )
        labels = None
        if info.classes is not None:
            labels = np.array(kept.get('labels') or info.classes)
            if labels.shape != (len(info.classes),):
                raise ValueError(
                    f"'folder' must have {len(info.classes)} labels for its "
                    f"classes, got '{folder}' with {shown(labels.tolist())}"
                )
        is_1d = kept.get('is_1d', info.num_tasks == 1) is True
        count = kept.get('num_molecules')
        model._keep(trained, labels, is_1d and info.num_tasks == 1, count, [])
        return model

    def _keep(
        self,
        trained: TrainedModel,
        labels: np.ndarray | None,
        is_1d: bool,
        num_molecules: int | None,
        skipped: list[tuple[int, str, str]],
    ) -> None:
        #: The trained networks.
        self.trained_ = trained
        self.n_features_in_ = 1
        self._labels = labels
        self._is_1d = is_1d
        self._num_molecules = num_molecules
        #: Molecules that were left out: position, SMILES string and reason.
        self.skipped_ = skipped

    def _check(self) -> None:
        check_choice('task', self.task, TASKS)
        check_integer(1, ensemble=self.ensemble)
        if self.max_epochs is not None:
            check_integer(1, max_epochs=self.max_epochs)
        check_share(validation_fraction=self.validation_fraction)
        if self.num_workers is not None:
            check_integer(0, num_workers=self.num_workers)
        if self.split is not None:
            check_choice('split', self.split, KINDS)

    def _check_fitted(self) -> None:
        if not hasattr(self, 'trained_'):
            raise NotFittedError(
                f'This {type(self).__name__} is not trained: call fit first'
            )

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
        _warn(
            [(i, text, reason) for i, (text, reason) in refused if reason],
            'without a prediction',
        )
        return found

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        return values[:, 0] if self._is_1d else values

    def _as_labels(self, found: Predictions) -> np.ndarray:
        assert self._labels is not None
        assert found.classes is not None
        labels = self._labels[found.classes]
        is_missing = found.classes < 0
        if is_missing.any():  # No number or text of the labels' own is free.
            missing = missing_of(self._labels)
            labels = labels.astype(float if missing is not None else object)
            labels[is_missing] = missing
        return self._shaped(labels)


def _warn(refused: list[tuple[int, str, str]], what: str) -> None:
    if refused:
        some = '; '.join(
            f'{shown(text)} at position {i}: {one_line(reason, 200)}'
            for i, text, reason in refused[:_SHOWN]
        )
        more = '; ...' if len(refused) > _SHOWN else ''
        warnings.warn(
            f'Refused and {what}: {counted(len(refused), "SMILES string")}: '
            f'{some}{more}',
            stacklevel=4,
        )
