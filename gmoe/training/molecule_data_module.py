"""The LightningDataModule of a table of molecules."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from gmoe.common.arguments import check_choice, check_integer
from gmoe.datasets.molecules.dataset import MoleculeDataset
from gmoe.datasets.molecules.features import MoleculeFeatures
from gmoe.datasets.molecules.info import BINARY, MULTICLASS, REGRESSION
from gmoe.datasets.molecules.splits import KINDS, SHARES
from gmoe.datasets.molecules.table import MoleculeTable, read_table
from gmoe.nn import ATOM_FEATURE_DIMS, BOND_FEATURE_DIMS
from gmoe.training.graph_data_module import SPLITS, GraphDataModule
from gmoe.training.task import SCORES

#: The score that selects an epoch, where none is asked for.
METRICS = {BINARY: 'rocauc', MULTICLASS: 'accuracy', REGRESSION: 'rmse'}
#: How molecules are split where nothing is asked for, and where that leaves a
#: part without molecules or without one of the classes.
_SPLIT, _OTHER_SPLIT = 'scaffold', 'stratified'


class MoleculeDataModule(GraphDataModule):
    """Molecules of a CSV file, with the targets that are to be learned.

    What is not given is found, and what is found is printed: the columns, the
    task, the rows that are left out, copies of a molecule, and the parts.

    Args:
        path: The file; see
            :class:`~gmoe.datasets.molecules.MoleculeDataset`.
        smiles: The column of SMILES strings. (default: found)
        targets: The target columns, one or several; a blank cell is a missing
            label. (default: found)
        weights: A column with the weight of each molecule in the loss.
        split: How molecules are split: a column with ``train``, ``valid`` and
            ``test``, or ``'scaffold'``, ``'scaffold-balanced'``,
            ``'random'``, ``'stratified'`` or ``'cluster'``; see
            :func:`gmoe.datasets.molecules.split`. (default: ``'scaffold'``,
            as molecules to predict mostly have other scaffolds, or
            ``'stratified'`` where scaffolds leave a part without molecules
            or without one of the classes)
        folds: The number of folds of a cross-validation by that split, which
            is no column then.
        fold: The fold that tests; the next one validates.
        shares: The shares of training, validation and testing, without folds.
        split_seed: The seed of the split, apart from that of the training.
        task: ``'binary'``, ``'multiclass'`` or ``'regression'``. (default:
            told from the values)
        features: Features of whole molecules beside the graphs: kinds of
            :class:`~gmoe.datasets.molecules.MoleculeFeatures`, or none.
        feature_columns: Columns of numbers in the file, one or several, that
            stand beside the graphs, too, such as a temperature; a blank cell
            is unknown. What is predicted later has to have them.
        eval_metric: The score that selects an epoch, one for the task of
            :obj:`~gmoe.training.METRIC_MODES`. (default: ROC-AUC, accuracy
            or RMSE, by the task)
        score_test: Whether ``gmoe fit`` ends with the scores of the test
            part, by the selected epoch.
        cache_dir: Where graphs and features are kept. (default: the
            environment variable :obj:`GMOE_CACHE_DIR`, or a folder in the
            user's cache)
        log: Whether to print what was found and decided.
        **kwargs: Arguments of :class:`GraphDataModule`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no table of molecules, or an argument is out of
            range.
    """

    name = 'molecules'
    node_dims = ATOM_FEATURE_DIMS
    edge_dims = BOND_FEATURE_DIMS
    graph_dims = None

    def __init__(
        self,
        path: str | Path,
        smiles: str | None = None,
        targets: str | Sequence[str] | None = None,
        weights: str | None = None,
        split: str | None = None,
        folds: int | None = None,
        fold: int = 0,
        shares: Sequence[float] = SHARES,
        split_seed: int = 0,
        task: str | None = None,
        features: Sequence[str] | None = None,
        feature_columns: str | Sequence[str] | None = None,
        eval_metric: str | None = None,
        score_test: bool = True,
        cache_dir: str | Path | None = None,
        log: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_integer(0, fold=fold, split_seed=split_seed)
        if folds is not None and split is not None and split not in KINDS:
            raise ValueError(
                f"'split' must be one of {KINDS} for 'folds', and 'folds' be "
                f"left out where 'split' is a column, got {folds} folds and "
                f'{split!r}'
            )
        self.split = split
        self.folds, self.fold, self.shares = folds, fold, tuple(shares)
        self.split_seed = split_seed
        self.score_test = score_test
        self.cache_dir = cache_dir
        is_first = rank_zero_only.rank == 0  # type: ignore[attr-defined]
        self.log = log and is_first
        self.features: MoleculeFeatures | None = None
        if isinstance(feature_columns, str):
            feature_columns = [feature_columns]
        beside = tuple(feature_columns or ())
        if features is not None or beside:
            self.features = MoleculeFeatures(features or (), beside)
            self.graph_dims = len(self.features.names)
        column = None if split in KINDS else split
        self._table: MoleculeTable | None = None
        try:
            self._table = read_table(
                path, smiles, targets, weights, column, task, beside
            )
        except ValueError as error:
            either = f"'split' must be one of {list(KINDS)}, or"
            message = str(error).replace("'split_column' must be", either)
            raise ValueError(message) from error
        settings = None if self.features is None else self.features.to_dict()
        #: What a trained network needs to know again.
        self.info = replace(self._table.info, features=settings)
        self.num_tasks = self.info.num_tasks
        self.num_classes = self.info.num_classes
        self.task_type = self.info.task_type
        if eval_metric is not None:
            check_choice('eval_metric', eval_metric, SCORES[self.task_type])
        self.eval_metric = eval_metric or METRICS[self.task_type]

    @property
    def molecules(self) -> dict[str, Any]:
        """What a checkpoint keeps of the molecules, as plain values."""
        return {'info': self.info.to_dict()}

    def load(self) -> MoleculeDataset:
        if self._table is not None:
            dataset = MoleculeDataset.from_table(
                self._table,
                self.features,
                cache_dir=self.cache_dir,
                log=self.log,
            )
            dataset.info = self.info
            self._dataset, self._table = dataset, None
        return self._dataset

    def setup(self, stage: str | None = None) -> None:
        if self.dataset is None:
            dataset = self.load()
            self.splits, said = self._parts(dataset)
            self.dataset = dataset
            if self.log:
                print(said, file=sys.stderr)

    def _parts(
        self, dataset: MoleculeDataset
    ) -> tuple[dict[str, Tensor], str]:
        kind = self.split
        if kind is not None and kind not in KINDS:
            parts = dataset.get_idx_split(seed=self.split_seed)
            return parts, f"Split by the column '{kind}': {_sizes(parts)}"
        said = 'as asked for'
        if kind is None:
            kind, said = _SPLIT, 'the default'
            try:
                parts = self._split_by(kind, dataset)
                reason = _lacks(dataset, parts)
            except ValueError as error:
                reason = str(error)
            if reason is not None:
                kind = _OTHER_SPLIT
                said = f"instead of '{_SPLIT}': {reason}"
        parts = self._split_by(kind, dataset)
        fold = '' if self.folds is None else f', fold {self.fold}'
        return parts, f"Split '{kind}' ({said}{fold}): {_sizes(parts)}"

    def _split_by(
        self, kind: str, dataset: MoleculeDataset
    ) -> dict[str, Tensor]:
        return dataset.get_idx_split(
            kind, self.split_seed, self.folds, self.fold, self.shares
        )


def _sizes(parts: dict[str, Tensor]) -> str:
    return ', '.join(f'{parts[name].numel()} {name}' for name in SPLITS)


def _lacks(dataset: MoleculeDataset, parts: dict[str, Tensor]) -> str | None:
    """Why a part would have no score: no target has both classes there."""
    if dataset.info.task_type != BINARY:
        return None
    y = dataset._data.y
    for name, index in parts.items():
        part = y[index]
        has_both = (part == 0).any(0) & (part == 1).any(0)
        if not bool(has_both.any()):
            return f"all of '{name}' would be of one class"
    return None
