"""Loads a graph whose nodes are classified."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch_geometric.data import Data

from gmoe.common.arguments import check_choice
from gmoe.common.files import nearest_name
from gmoe.common.shown import shown
from gmoe.datasets.molecules.info import BINARY, MULTICLASS
from gmoe.datasets.nodes.check import (
    check_node_graph,
    check_parts,
    one_edge_each,
)
from gmoe.datasets.nodes.citation import read_citation
from gmoe.datasets.nodes.heterophilous import read_heterophilous
from gmoe.datasets.nodes.info import NODE_SETS, NodeInfo
from gmoe.datasets.nodes.ogb import read_ogb_nodes
from gmoe.datasets.nodes.planetoid import read_planetoid
from gmoe.datasets.nodes.saved import read_saved
from gmoe.datasets.nodes.splits import take_split
from gmoe.datasets.nodes.tables import read_tables


class NodeGraph(NamedTuple):
    """A graph whose nodes are classified, and what is known of it.

    Args:
        data: The graph: features :obj:`x`, :obj:`edge_index`, and
            :obj:`edge_weight` if edges have one; the three masks
            :obj:`train_mask`, :obj:`val_mask` and :obj:`test_mask` of one
            split; and :obj:`y`, int64 classes of shape ``[N]``, -1 where
            there is none, or float32 labels of shape ``[N, tasks]``, NaN
            where there is none.
        info: Its name, task and score.
        classes: The names of the classes; of several labels, of these.
        ids: The ids of the nodes, where they are not their numbers.
        notes: What was done to it, as sentences.
    """

    data: Data
    info: NodeInfo
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    ids: tuple[str, ...] | None = None


def load_nodes(
    name: str | os.PathLike[str],
    root: str | os.PathLike[str] = 'data',
    split: int | str | None = None,
    seed: int = 0,
    undirected: bool = True,
) -> NodeGraph:
    """Loads a public graph, or one of your own.

    Args:
        name: A key of :obj:`NODE_SETS`; or the path of a graph of your own:
            a ``Data`` that ``torch.save`` has written, as
            :func:`~gmoe.datasets.nodes.saved.read_saved` takes it, or a
            folder with ``nodes.csv`` and ``edges.csv``, as
            :func:`~gmoe.datasets.nodes.tables.read_tables` does.
        root: The folder of the public graphs, which are in folders such as
            ``planetoid/Cora``, ``heterophilous/minesweeper`` and
            ``ogb/ogbn_arxiv`` below it.
        split: The number of a fixed split; :obj:`"public"` for that of
            Planetoid; :obj:`"random"` for 60 % training, 20 % validation and
            20 % test nodes. (default: the public split, or the first one, or
            a random one where there is no other)
        seed: Decides on a random split.
        undirected: Whether each edge is to go both ways.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file does not hold what it must, or there is no such
            graph or split.
    """
    info = NODE_SETS.get(str(name))
    classes: tuple[str, ...] = ()
    ids = None
    if info is None:
        path = _own(name)
        if path.is_dir():
            data, classes, ids = read_tables(path)
        else:
            data = read_saved(path)
        info = NodeInfo(path.stem, MULTICLASS, 'accuracy', str(path), 'own')
    else:
        data = _read(info, Path(root).expanduser(), split)
    if split == 'public':
        if info.layout != 'planetoid':
            raise ValueError(
                f"'split' must be a number, or 'random', for '{info.name}', "
                "got 'public'"
            )
        split = None
    if info.layout == 'own' and data.get('y') is not None:
        data.y = _plain_labels(data.y)
        if data.y.dim() == 2:
            info = replace(info, task_type=BINARY, eval_metric='rocauc')
    check_parts(data)
    if info.task_type == BINARY and data.y.dim() == 1:
        data.y = data.y.float().view(-1, 1)
    notes = one_edge_each(data, undirected)
    notes.append(take_split(data, split, seed))
    check_node_graph(data)
    names = classes or _classes(data)
    return NodeGraph(data, info, names, tuple(notes), ids)


def _own(name: str | os.PathLike[str]) -> Path:
    path = Path(name).expanduser()
    if not path.exists():
        if not path.suffix and path.name == str(name):
            check_choice('name', str(name), NODE_SETS)
        raise FileNotFoundError(
            f"'name' must be a graph of {shown(list(NODE_SETS), 400)}, or the "
            f"path of one's own, got '{path}'{nearest_name(path)}"
        )
    return path


def _read(info: NodeInfo, root: Path, split: int | str | None) -> Data:
    folder = root / info.folder
    if not folder.is_dir():
        raise FileNotFoundError(
            f"'root' must be a folder with '{info.folder}' for "
            f"'{info.name}', got '{root}'"
        )
    if info.layout == 'planetoid':
        is_public = split in (None, 'public', 'random')
        return read_planetoid(folder, info.name, is_public)
    read = {
        'citation': read_citation,
        'heterophilous': read_heterophilous,
        'ogb': read_ogb_nodes,
    }[info.layout]
    return read(folder, info.name)


def _plain_labels(y: torch.Tensor) -> torch.Tensor:
    # As some save them: a column, or integers of another size.
    if y.dim() == 2 and y.size(1) == 1 and not y.is_floating_point():
        y = y.view(-1)
    if y.dim() == 1 and not y.is_floating_point():
        return y.long()
    return y.float() if y.is_floating_point() and y.dim() == 2 else y


def _classes(data: Data) -> tuple[str, ...]:
    if data.y.dim() == 1:
        count = int(data.y.max()) + 1
    else:
        count = max(data.y.size(1), 2)  # Of a single label, these are 0 and 1.
    return tuple(map(str, range(count)))
