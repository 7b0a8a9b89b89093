"""SMILES strings in, properties out, with the conventions of scikit-learn."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmoe.common.arguments import check_choice, check_integer, check_share
from gmoe.common.require import require
from gmoe.datasets.molecules.splits import KINDS
from gmoe.molecules.array_table import TASKS, array_table
from gmoe.molecules.fit_settings import read_settings
from gmoe.molecules.fitted_model import (
    fitted_model,
    load_fitted,
    save_fitted,
)
from gmoe.molecules.fitting import fit_table
from gmoe.molecules.target_form import TargetForm
from gmoe.molecules.trained_estimator import TrainedEstimator, warn_refused
from gmoe.molecules.trained_model import TrainedModel

require('sklearn', 'mol')

from sklearn.utils import (  # noqa: E402
    ClassifierTags,
    RegressorTags,
    check_random_state,
)
from sklearn.utils.metadata_routing import UNUSED  # noqa: E402

if TYPE_CHECKING:
    from typing_extensions import Self

#: The fewest molecules that are trained on.
_MIN_MOLECULES = 10


class MoleculeModel(TrainedEstimator):
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
            arrays.form,
            len(dataset),
            [(row.row, row.smiles, row.reason) for row in dataset.skipped],
        )
        refused = [row for row in self.skipped_ if row[2] != 'no label']
        warn_refused(refused, 'left out of the training', stacklevel=3)
        return self

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
        params = self.get_params()
        if not isinstance(params['random_state'], int):
            params['random_state'] = None  # A generator is no plain value.
        params['config'] = str(params['config'])
        estimator = {
            'params': params,
            **self._form.to_dict(),
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
        form = TargetForm.from_dict(kept, info, folder)
        model._keep(trained, form, kept.get('num_molecules'), [])
        return model

    def _keep(
        self,
        trained: TrainedModel,
        form: TargetForm,
        num_molecules: int | None,
        skipped: list[tuple[int, str, str]],
    ) -> None:
        self.trained_ = trained
        self.n_features_in_ = 1
        self._form = form
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
