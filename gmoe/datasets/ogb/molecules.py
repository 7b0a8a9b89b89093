"""The molecule datasets of the Open Graph Benchmark."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch_geometric.data import Data
from torch_geometric.utils import cumsum

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
from gmoe.files import remove_stale
from gmoe.nn.encoders.embedding import ATOM_FEATURE_DIMS, BOND_FEATURE_DIMS


class OGBMolDataset(CollatedDataset):
    r"""A molecule dataset of the `"Open Graph Benchmark: Datasets for
    Machine Learning on Graphs" <https://arxiv.org/abs/2005.00687>`_ paper,
    with the content that OGB's own loader gives.

    Unlike that one, it never asks a question, keeps no pickle, checks what
    it reads, and loads a folder that cannot be written. Labels are
    floating-point numbers for every task, with :obj:`NaN` for a missing
    one. Each graph also has its position in the dataset as :obj:`graph_id`.

    Args:
        name (str): The name, one of OGB's :obj:`"ogbg-mol*"`.
        root (str, optional): The folder with a folder for each dataset, in
            OGB's layout (:obj:`"ogbg_molhiv/raw"` and so on; the folder
            :obj:`"ogbg_molhiv_pyg"` is used if there is one).
            (default: :obj:`"data/ogb"`)
        transform (callable, optional): Transforms each graph on access.
            (default: :obj:`None`)
        cache_dir (str, optional): Where the parsed dataset is kept, and
            nowhere else; that of the environment variable
            :obj:`GMOE_CACHE_DIR` if not given. Without either, it is kept in
            its own folder, or, if that cannot be written, in
            :obj:`"$XDG_CACHE_HOME/gmoe"` or :obj:`"~/.cache/gmoe"`.
            (default: :obj:`None`)
        download (bool, optional): If set to :obj:`False`, a dataset that
            is not there is an error. (default: :obj:`True`)
        url (str, optional): Where to download the dataset's archive from,
            instead of from where OGB keeps it. (default: :obj:`None`)
        log (bool, optional): Whether to print that a download goes on.
            (default: :obj:`True`)
        limits (Limits, optional): How much a download, an archive and a raw
            file may hold. (default: :obj:`Limits()`)

    Shapes:
        - **graph:** :obj:`x` :math:`(|V|, 9)`, :obj:`edge_index`
          :math:`(2, |E|)`, :obj:`edge_attr` :math:`(|E|, 3)`, :obj:`y`
          :math:`(1, T)`, :obj:`graph_id` :math:`(1)`

    Raises:
        ValueError: If there is no dataset of this name.
        FileNotFoundError: If files are missing, and nothing may be, or
            nothing was to be, downloaded.
        RuntimeError: If the download fails.
        CorruptDatasetError: If a file does not hold what it should.
    """

    #: The number of categories of each feature of a node, and of an edge.
    node_feature_dims = ATOM_FEATURE_DIMS
    edge_feature_dims = BOND_FEATURE_DIMS

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
        self.info = ogb_mol_info(name)
        parent = Path(root).expanduser()
        folder = parent / self.info.dir_name
        if (parent / f'{self.info.dir_name}_pyg').is_dir():
            folder = parent / f'{self.info.dir_name}_pyg'
        if not folder.exists():
            if not download:
                raise FileNotFoundError(
                    f"'root' needs to hold the folder "
                    f"'{self.info.dir_name}' of '{name}' (got "
                    f"'{parent}'). Pass 'download=True' to fetch it from "
                    f"'{url or self.info.url}'"
                )
            download_ogb_mol(self.info, folder, url, log, limits)
        super().__init__(str(folder), transform, log=log)

        given = given_cache_dir(cache_dir)
        if given is None:
            remove_stale(parent)
        raw_dir = Path(self.raw_dir)
        raw = read_raw_bytes(raw_dir, limits)
        cache = TensorCache(folder, fingerprint(raw), given)
        tensors = cache.get(lambda: parse_raw(raw, raw_dir, self.info, limits))
        self._data, self.slices = _collate(tensors, self.info.add_inverse_edge)
        self._num_graphs = self.len()  # That of a copied part differs.
        self._smiles: list[str] | None = None

    @property
    def raw_file_names(self) -> list[str]:
        return list(RAW_FILES)

    @property
    def processed_file_names(self) -> list[str]:
        return []  # What is cached where is not PyG's to decide.

    @property
    def num_tasks(self) -> int:
        """The number of labels of a graph."""
        return self.info.num_tasks

    @property
    def task_type(self) -> str:
        """`"binary classification"` or `"regression"`."""
        return self.info.task_type

    @property
    def eval_metric(self) -> str:
        """The metric of OGB's evaluator."""
        return self.info.eval_metric

    @property
    def num_classes(self) -> int:
        """The number of classes of each label, `-1` for regression."""
        return self.info.num_classes

    def get_idx_split(self, split_type: str | None = None) -> Tensors:
        """Returns the graphs of the parts `train`, `valid` and `test`, by
        their positions in this (part of a) dataset.

        Args:
            split_type (str, optional): The name of a folder below
                :obj:`"split"`; OGB's official split if not given.
                (default: :obj:`None`)

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
            idx (int): The position of the graph.

        Raises:
            FileNotFoundError: If the dataset came without SMILES strings.
            IndexError: If there is no such graph.
            CorruptDatasetError: If there is not one string for each graph.
        """
        if self._smiles is None:
            path = Path(self.root) / 'mapping' / 'mol.csv.gz'
            self._smiles = _read_smiles(path, self._num_graphs, self.limits)
        return self._smiles[int(self._data.graph_id[self.indices()[idx]])]


def _collate(
    tensors: Tensors,
    add_inverse_edge: bool,
) -> tuple[Data, Tensors]:
    """Returns the graphs in PyG's storage format of a dataset."""
    edge, edge_attr = tensors['edge'].long(), tensors['edge_attr'].long()
    num_edges = tensors['num_edges'].long()
    if add_inverse_edge:
        # Each edge is followed by its inverse.
        edge = torch.stack([edge, edge.flip(1)], dim=1).view(-1, 2)
        edge_attr = edge_attr.repeat_interleave(2, dim=0)
        num_edges = num_edges * 2

    y = tensors['y']
    data = Data(
        x=tensors['x'].long(),
        edge_index=edge.t().contiguous(),
        edge_attr=edge_attr,
        y=y,
        graph_id=torch.arange(y.size(0)),
    )
    single = torch.arange(y.size(0) + 1)
    edge_slices = cumsum(num_edges)
    slices = {
        'x': cumsum(tensors['num_nodes'].long()),
        'edge_index': edge_slices,
        'edge_attr': edge_slices,
        'y': single,
        'graph_id': single,
    }
    return data, slices


def _read_smiles(path: Path, num_graphs: int, limits: Limits) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(
            f"SMILES strings need the file '{path}' (got none)"
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
            path, f"it needs to hold a column 'smiles' ({e})"
        ) from e
    smiles = frame['smiles'].tolist()
    if len(smiles) != num_graphs:
        raise CorruptDatasetError(
            path,
            f'it needs to hold one row for each of the {num_graphs} '
            f'graphs (got {len(smiles)})',
        )
    return smiles
