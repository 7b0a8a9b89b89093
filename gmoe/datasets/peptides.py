"""The peptides of the Long Range Graph Benchmark."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gmoe.common.require import require
from gmoe.common.shown import shown
from gmoe.datasets.cache import TensorCache, Tensors, given_cache_dir
from gmoe.datasets.collated import CollatedDataset
from gmoe.datasets.errors import CorruptDatasetError
from gmoe.datasets.limits import LIMITS, Limits
from gmoe.datasets.molecules.codes import Codes, codes
from gmoe.datasets.molecules.graphs import join_codes, whole_data
from gmoe.datasets.molecules.molecule import Refused, parse
from gmoe.datasets.molecules.parallel import map_chunks
from gmoe.datasets.ogb.raw import read_split
from gmoe.datasets.table import decompress, read_bytes
from gmoe.nn.encoders.embedding import ATOM_FEATURE_DIMS, BOND_FEATURE_DIMS

#: Part of the fingerprint: a new way to store graphs makes old caches void.
FORMAT_VERSION = 1
NUM_TASKS = 10

_FILE = 'peptide_multi_class_dataset.csv.gz'
_LABELS = re.compile(rf'\[[01](?:, ?[01]){{{NUM_TASKS - 1}}}\]')


class PeptidesFunc(CollatedDataset):
    r"""Peptides-func of the `"Long Range Graph Benchmark"
    <https://arxiv.org/abs/2206.08164>`_: peptides as graphs of their atoms,
    each with ten labels of what it does, and the official split.

    Graphs are made of the SMILES strings as they are written, with the codes
    of OGB's molecules, in parallel, and kept for the next time. Needs RDKit,
    ``pip install "gmoe[mol]"``.

    Args:
        root: The folder with the folder :obj:`"peptides-func"`, which holds
            :obj:`"peptide_multi_class_dataset.csv.gz"` and, below
            :obj:`"split"`, the rows of each part. Nothing is downloaded.
        transform: Transforms each graph on access.
        cache_dir: Where graphs are kept, and nowhere else; see
            :class:`OGBMolDataset`.
        num_workers: The number of processes that make graphs. (default: one
            for each CPU)
        log: Whether to show a progress bar while they are made.
        limits: How much a file may hold.

    Shapes:
        - **graph:** :obj:`x` :math:`(|V|, 9)`, :obj:`edge_index`
          :math:`(2, |E|)`, :obj:`edge_attr` :math:`(|E|, 3)`, :obj:`y`
          :math:`(1, 10)`, :obj:`graph_id` :math:`(1)`

    Raises:
        FileNotFoundError: If files are missing.
        ImportError: If RDKit is not installed.
        CorruptDatasetError: If a file does not hold what it should.
    """

    #: The number of categories of each feature of a node, and of an edge.
    node_feature_dims = ATOM_FEATURE_DIMS
    edge_feature_dims = BOND_FEATURE_DIMS

    num_tasks, num_classes = NUM_TASKS, 2
    task_type = 'binary classification'
    eval_metric = 'ap'

    def __init__(
        self,
        root: str | os.PathLike[str] = 'data/lrgb',
        transform: Callable[[Any], Any] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        num_workers: int | None = None,
        log: bool = True,
        limits: Limits = LIMITS,
    ) -> None:
        folder = Path(root).expanduser() / 'peptides-func'
        path = folder / _FILE
        if not path.is_file():
            raise FileNotFoundError(
                f"'root' must hold the file 'peptides-func/{_FILE}' of the "
                f"Long Range Graph Benchmark, got '{root}'; its authors' "
                'repository, vijaydwivedi75/lrgb on GitHub, says where it is'
            )
        super().__init__(None, transform)
        self.folder, self.limits = folder, limits
        content = read_bytes(path, limits)
        self._smiles, y = _read_table(content, path, limits)
        label = 'Peptides' if log else None
        cache = TensorCache(
            folder, _fingerprint(content), given_cache_dir(cache_dir)
        )
        tensors = cache.get(
            lambda: _make_graphs(self._smiles, path, num_workers, label)
        )
        data = whole_data(tensors)
        data.y = y
        data.graph_id = torch.arange(len(y))
        num_edges = 2 * tensors['num_edges'].long()
        self._hold(data, tensors['num_nodes'].long(), num_edges)

    def get_idx_split(self) -> dict[str, Tensor]:
        """Returns the graphs of the parts `train`, `valid` and `test`, by
        their positions in this (part of a) dataset.

        Raises:
            FileNotFoundError: If a file of the split is missing.
            CorruptDatasetError: If it does not hold each graph once.
        """
        size = len(self._smiles)
        names = ('train', 'val', 'test')
        split = read_split(self.folder / 'split', size, self.limits, names)
        return self._within(split, size)

    def smiles(self, idx: int) -> str:
        """Returns the SMILES string of a graph of this (part of a) dataset.

        Args:
            idx: The position of the graph.

        Raises:
            IndexError: If there is no such graph.
            TypeError: If the position is not an integer.
        """
        return self._smiles[self._graph_id(idx)]


def _read_table(
    content: bytes, path: Path, limits: Limits
) -> tuple[list[str], Tensor]:
    """The SMILES strings, and the labels, float :math:`(N, 10)`."""
    text = decompress(content, path, limits)
    try:
        table = pd.read_csv(
            io.BytesIO(text),
            usecols=['smiles', 'labels'],
            dtype=str,
            keep_default_na=False,
        )
    except ValueError as error:  # Also that of a text which is no UTF-8.
        raise CorruptDatasetError(
            path,
            "it must be a table with the columns 'smiles' and 'labels', got "
            f'{shown(str(error), 200)}',
        ) from error
    if table.empty:
        raise CorruptDatasetError(path, 'it must hold peptides, got none')
    is_right = table['labels'].map(lambda t: bool(_LABELS.fullmatch(t)))
    if not is_right.all():
        row = int(is_right.argmin())
        raise CorruptDatasetError(
            path,
            f'labels must be {NUM_TASKS} numbers 0 or 1 in brackets, got '
            f'{shown(table["labels"][row])} in row {row}',
        )
    digits = table['labels'].str.replace('[^01]', '', regex=True)
    codes_of_digits = np.frombuffer(''.join(digits).encode(), dtype=np.uint8)
    y = (codes_of_digits - ord('0')).reshape(-1, NUM_TASKS)
    return table['smiles'].tolist(), torch.from_numpy(y).float()


def _make_graphs(
    smiles: list[str], path: Path, num_workers: int | None, label: str | None
) -> Tensors:
    made: list[Codes] = []
    for chunk in map_chunks(_read_molecules, smiles, num_workers, label):
        for found in chunk:
            if isinstance(found, Refused):
                raise CorruptDatasetError(
                    path,
                    f'row {len(made)} must hold a peptide, got '
                    f'{shown(smiles[len(made)])}: {found.reason}',
                )
            made.append(found)
    return {
        key: torch.from_numpy(value) for key, value in join_codes(made).items()
    }


def _read_molecules(smiles: list[str]) -> list[Codes | Refused]:
    # In the order of the atoms as they are written, as the benchmark has it.
    out: list[Codes | Refused] = []
    for text in smiles:
        found = parse(text)
        if isinstance(found, Refused):
            out.append(found)
            continue
        try:
            out.append(codes(found[0]))
        except ValueError as error:
            out.append(Refused(str(error)))
    return out


def _fingerprint(content: bytes) -> str:
    version = require('rdkit', 'mol').__version__
    digest = hashlib.sha256(f'peptides {FORMAT_VERSION} {version}'.encode())
    digest.update(content)
    return digest.hexdigest()
