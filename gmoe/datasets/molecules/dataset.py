"""A table of molecules as a dataset of graphs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gmoe.datasets.collated import CollatedDataset
from gmoe.datasets.molecules.copies import describe_copies
from gmoe.datasets.molecules.graphs import (
    Graphs,
    cached_graphs,
    select,
    whole_data,
)
from gmoe.datasets.molecules.info import MULTICLASS
from gmoe.datasets.molecules.kept import check_kept, choose
from gmoe.datasets.molecules.molecule import Molecule
from gmoe.datasets.molecules.skipped import Skipped, describe_skipped
from gmoe.datasets.molecules.splits import (
    NO_VALID,
    SHARES,
    split,
    split_by_parts,
)
from gmoe.datasets.molecules.table import MoleculeTable, read_table
from gmoe.nn.encoders.embedding import ATOM_FEATURE_DIMS, BOND_FEATURE_DIMS


class MoleculeDataset(CollatedDataset):
    r"""Molecules of a CSV file, with the targets that are to be learned, as
    graphs of their canonical forms with the codes of OGB.

    What is not given is found, and printed, as is what is left out. Graphs
    are made once, in parallel, and kept for the next time. Needs RDKit.

    Args:
        path: The file, as :func:`read_table` takes it.
        smiles: The column of SMILES strings.
        targets: The target columns.
        weights: A column with the weight of each molecule in the loss.
        split_column: A column with the part of each molecule.
        task: ``"binary"``, ``"multiclass"`` or ``"regression"``.
        features: Features of whole molecules, a
            :class:`~gmoe.datasets.molecules.MoleculeFeatures`; none without.
        transform: Transforms each graph on access.
        cache_dir: Where graphs are kept. (default: the environment variable
            :obj:`GMOE_CACHE_DIR`, or a folder in the user's cache)
        num_workers: The number of processes that make graphs. (default: one
            for each CPU, or none for a few molecules)
        log: Whether to print what was decided, on the standard error.

    Shapes:
        - **graph:** :obj:`x` :math:`(|V|, 9)`, :obj:`edge_index`
          :math:`(2, |E|)`, :obj:`edge_attr` :math:`(|E|, 3)`, :obj:`y`
          :math:`(1, T)` with :obj:`NaN` where it is missing, or
          :math:`(1)`, a class, -1 where it is missing; :obj:`graph_id`
          :math:`(1)`; :obj:`weight` :math:`(1)` and :obj:`graph_attr`
          :math:`(1, F)` if there are some

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be read.
        ValueError: If it is no such table, a column does not hold what it
            must, or too few molecules are left.
    """

    #: The number of categories of each feature of a node, and of an edge.
    node_feature_dims = ATOM_FEATURE_DIMS
    edge_feature_dims = BOND_FEATURE_DIMS

    def __init__(
        self,
        path: str | os.PathLike[str],
        smiles: str | None = None,
        targets: str | Sequence[str] | None = None,
        weights: str | None = None,
        split_column: str | None = None,
        task: str | None = None,
        features: Any = None,
        transform: Callable[[Any], Any] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        num_workers: int | None = None,
        log: bool = True,
    ) -> None:
        table = read_table(
            path,
            smiles,
            targets,
            weights,
            split_column,
            task,
            getattr(features, 'columns', ()),
        )
        self._read(
            table,
            Path(path).name.split('.')[0] or 'molecules',
            features,
            transform,
            cache_dir,
            num_workers,
            log,
        )

    @classmethod
    def from_table(
        cls,
        table: MoleculeTable,
        features: Any = None,
        transform: Callable[[Any], Any] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        num_workers: int | None = None,
        log: bool = True,
    ) -> MoleculeDataset:
        """Makes a dataset of a table. The other arguments are those of the
        class.

        Args:
            table: The table.
        """
        dataset = cls.__new__(cls)
        dataset._read(
            table,
            'molecules',
            features,
            transform,
            cache_dir,
            num_workers,
            log,
        )
        return dataset

    def _read(
        self,
        table: MoleculeTable,
        name: str,
        features: Any,
        transform: Callable[[Any], Any] | None,
        cache_dir: str | os.PathLike[str] | None,
        num_workers: int | None,
        log: bool,
    ) -> None:
        super().__init__(None, transform)
        label = 'Molecules' if log else None
        graphs = cached_graphs(
            table.smiles, name, cache_dir, num_workers, label
        )
        kept, self._canonical, skipped = choose(table, graphs.found)
        #: The rows of the file that are left out, and why.
        self.skipped: list[Skipped] = skipped
        self._row = [table.row[i] for i in kept]
        self._part = (
            None if table.split is None else [table.split[i] for i in kept]
        )
        self._y = table.y[kept]
        #: The columns and the kind of the targets.
        self.info = table.info
        #: What was decided, a sentence each.
        self.said = [
            *table.said,
            *describe_skipped(graphs.found, self.skipped),
            *describe_copies(self._canonical, self._row, self._y, self._part),
        ]
        if self._part is not None and 'valid' not in self._part:
            self.said.append(NO_VALID)
        if log:
            print('\n'.join(self.said), file=sys.stderr)
        check_kept(self._y, self.info, len(self.skipped))
        self._collate(table, graphs, kept)
        if features is not None:
            columns = None if table.columns is None else table.columns[kept]
            values = features.compute(
                self._canonical, num_workers, True, cache_dir, columns
            )
            self.hold_graph_attr(torch.as_tensor(values).float())

    def _collate(
        self, table: MoleculeTable, graphs: Graphs, kept: list[int]
    ) -> None:
        is_kept = np.zeros(len(graphs.found), dtype=bool)
        is_kept[kept] = True
        is_graph = [isinstance(m, Molecule) for m in graphs.found]
        tensors = select(graphs.tensors, torch.from_numpy(is_kept[is_graph]))
        data = whole_data(tensors)
        y = torch.from_numpy(self._y)
        is_class = table.info.task_type == MULTICLASS
        data.y = y[:, 0].long() if is_class else y.float()
        data.graph_id = torch.arange(len(kept))
        if table.weights is not None:
            data.weight = torch.from_numpy(table.weights[kept]).float()
        num_edges = 2 * tensors['num_edges'].long()
        self._hold(data, tensors['num_nodes'].long(), num_edges)

    @property
    def num_tasks(self) -> int:
        """The number of target columns."""
        return self.info.num_tasks

    @property
    def num_classes(self) -> int:
        """The number of classes of each target, `-1` for regression."""
        return self.info.num_classes

    @property
    def task_type(self) -> str:
        """The kind of the task."""
        return self.info.task_type

    def smiles(self, idx: int) -> str:
        """Returns the canonical SMILES string of a graph of this (part of a)
        dataset.

        Args:
            idx: The position of the graph.

        Raises:
            IndexError: If there is no such graph.
            TypeError: If the position is not an integer.
        """
        return self._canonical[self._graph_id(idx)]

    def row(self, idx: int) -> int:
        """Returns the line in the file of a graph of this (part of a)
        dataset. The argument and errors are those of :meth:`smiles`."""
        return self._row[self._graph_id(idx)]

    def get_idx_split(
        self,
        kind: str | None = None,
        seed: int = 0,
        folds: int | None = None,
        fold: int = 0,
        shares: Sequence[float] = SHARES,
    ) -> dict[str, Tensor]:
        """Returns the graphs of the parts `train`, `valid` and `test`, by
        their positions in this (part of a) dataset.

        Args:
            kind: How molecules are split, as
                :func:`~gmoe.datasets.molecules.splits.split` takes it with
                the other arguments. (default: by the column of parts, where
                one is given, and else ``'scaffold'``; a column without a part
                to validate on gives a tenth of training for it)
            seed: The seed.
            folds: The number of folds.
            fold: Which fold tests.
            shares: The shares of the parts.

        Raises:
            ValueError: If an argument is out of range, or a part would be
                empty.
        """
        if kind is None and self._part is not None:
            found = split_by_parts(self._part, self._canonical, seed)
        else:
            found = split(
                kind or 'scaffold',
                self._canonical,
                self._y,
                seed,
                folds,
                fold,
                shares,
            )
        return self._within(found, len(self._canonical))
