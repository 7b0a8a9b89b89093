"""The molecule datasets of the Open Graph Benchmark."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch_geometric.data import Data

from gmoe.common.files import remove_stale
from gmoe.common.shown import shown
from gmoe.datasets.cache import TensorCache, Tensors, given_cache_dir
from gmoe.datasets.collated import CollatedDataset
from gmoe.datasets.errors import CorruptDatasetError
from gmoe.datasets.limits import LIMITS, Limits
from gmoe.datasets.ogb.download import download_ogb_mol
from gmoe.datasets.ogb.info import ogb_mol_info
from gmoe.datasets.ogb.raw import (
    RAW_FILES,
    fingerprint,
    parse_raw,
    read_raw_bytes,
    read_split,
)
from gmoe.datasets.table import decompress, read_bytes
from gmoe.nn.encoders.embedding import ATOM_FEATURE_DIMS, BOND_FEATURE_DIMS


class OGBMolDataset(CollatedDataset):
    r"""A molecule dataset of the `"Open Graph Benchmark: Datasets for
    Machine Learning on Graphs" <https://arxiv.org/abs/2005.00687>`_ paper,
    with the content that OGB's own loader gives.

    Unlike OGB's loader, it never asks a question, keeps no pickle, checks
    the files that it reads, and works on a folder that cannot be written.
    Labels are floating-point numbers for every task, with ``NaN`` for a
    missing one. Each graph has its position in the dataset as ``graph_id``.

    Args:
        name: The name, one of OGB's :obj:`"ogbg-mol*"`.
        root: The folder with a folder for each dataset, in OGB's layout
            (:obj:`"ogbg_molhiv/raw"` and so on; the folder
            :obj:`"ogbg_molhiv_pyg"` is used if there is one).
        transform: Transforms each graph on access.
        cache_dir: Where the parsed dataset is kept, and nowhere else; that of
            the environment variable :obj:`GMOE_CACHE_DIR` if not given.
            Without either, it is kept in its own folder, or, if that cannot be
            written, in :obj:`"$XDG_CACHE_HOME/gmoe"` or
            :obj:`"~/.cache/gmoe"`.
        download: If set to :obj:`False`, a dataset that is not there is an
            error.
        url: Where to download the dataset's archive from, instead of from
            where OGB keeps it.
        log: Whether to print that a download goes on.
        limits: How much a download, an archive and a raw file may hold.

    Shapes:
        - **graph:** :obj:`x` :math:`(|V|, 9)`, :obj:`edge_index`
          :math:`(2, |E|)`, :obj:`edge_attr` :math:`(|E|, 3)`, :obj:`y`
          :math:`(1, T)`, :obj:`graph_id` :math:`(1)`

    Raises:
        ValueError: If there is no dataset of this name.
        FileNotFoundError: If files are missing and were not downloaded.
        RuntimeError: If the download fails.
        CorruptDatasetError: If a file does not hold what it should.
    """

    #: The number of categories of each feature of a node, and of an edge.
    node_feature_dims = ATOM_FEATURE_DIMS
    edge_feature_dims = BOND_FEATURE_DIMS
    raw_file_names = RAW_FILES

    def __init__(
        self,
        name: str,
        root: str | os.PathLike[str] = 'data/ogb',
        transform: Callable[[Any], Any] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        download: bool = True,
        url: str | None = None,
        log: bool = True,
        limits: Limits = LIMITS,
    ) -> None:
        self.name = name
        self.limits = limits
        self.info = info = ogb_mol_info(name)
        #: The number of target columns of a graph.
        self.num_tasks = info.num_tasks
        self.task_type, self.eval_metric = info.task_type, info.eval_metric
        parent = Path(root).expanduser()
        folder = parent / f'{info.dir_name}_pyg'
        if not folder.is_dir():
            folder = parent / info.dir_name
        if not folder.exists():
            if not download:
                raise FileNotFoundError(
                    f"'root' must hold the folder '{info.dir_name}' of "
                    f"'{name}', got '{parent}'. Pass 'download=True' to fetch "
                    f"it from '{url or info.url}'"
                )
            download_ogb_mol(info, folder, url, log, limits)
        super().__init__(str(folder), transform, log=log)

        given = given_cache_dir(cache_dir)
        if given is None:
            remove_stale(parent)
        raw_dir = Path(self.raw_dir)
        raw = read_raw_bytes(raw_dir, limits)
        cache = TensorCache(folder, fingerprint(raw), given)
        tensors = cache.get(lambda: parse_raw(raw, raw_dir, info, limits))
        self._collate(tensors)
        self._num_graphs = self.len()  # A copied part has fewer.
        self._smiles: list[str] | None = None

    @property
    def num_classes(self) -> int:
        """The number of classes of each label, `-1` for regression."""
        return self.info.num_classes

    def get_idx_split(self, split_type: str | None = None) -> Tensors:
        """Returns the graphs of the parts `train`, `valid` and `test`, by
        their positions in this (part of a) dataset.

        Args:
            split_type: The name of a folder below :obj:`"split"`; OGB's
                official split if not given.

        Raises:
            FileNotFoundError: If there is no such split.
            CorruptDatasetError: If it does not hold each graph once.
        """
        folder = Path(self.root) / 'split' / (split_type or self.info.split)
        split = read_split(folder, self._num_graphs, self.limits)
        return self._within(split, self._num_graphs)

    def smiles(self, idx: int) -> str:
        """Returns the SMILES string of a graph of this (part of a) dataset.

        Args:
            idx: The position of the graph.

        Raises:
            FileNotFoundError: If the dataset came without SMILES strings.
            IndexError: If there is no such graph.
            TypeError: If the position is not an integer.
            CorruptDatasetError: If there is not one string for each graph.
        """
        if self._smiles is None:
            path = Path(self.root) / 'mapping' / 'mol.csv.gz'
            self._smiles = _read_smiles(path, self._num_graphs, self.limits)
        return self._smiles[self._graph_id(idx)]

    def _collate(self, tensors: Tensors) -> None:
        edge, edge_attr = tensors['edge'].long(), tensors['edge_attr'].long()
        num_edges = tensors['num_edges'].long()
        if self.info.add_inverse_edge:
            # Each edge is followed by its inverse.
            edge = torch.stack([edge, edge.flip(1)], dim=1).view(-1, 2)
            edge_attr = edge_attr.repeat_interleave(2, dim=0)
            num_edges = num_edges * 2
        data = Data(
            x=tensors['x'].long(),
            edge_index=edge.t().contiguous(),
            edge_attr=edge_attr,
            y=tensors['y'],
            graph_id=torch.arange(tensors['y'].size(0)),
        )
        self._hold(data, tensors['num_nodes'].long(), num_edges)


def _read_smiles(path: Path, num_graphs: int, limits: Limits) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(
            f"SMILES strings must be in the file '{path}', got none"
        )
    text = decompress(read_bytes(path, limits), path, limits)
    try:
        frame = pd.read_csv(
            io.BytesIO(text),
            dtype=str,
            usecols=['smiles'],
            keep_default_na=False,
        )
    except ValueError as e:
        raise CorruptDatasetError(
            path, f"it must hold a column 'smiles', got {shown(str(e), 200)}"
        ) from e
    smiles = frame['smiles'].tolist()
    if len(smiles) != num_graphs:
        raise CorruptDatasetError(
            path,
            f'it must hold one row for each of the {num_graphs} graphs, got '
            f'{len(smiles)}',
        )
    return smiles
