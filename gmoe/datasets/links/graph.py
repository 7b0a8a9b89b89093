"""Loads a graph whose missing edges are to be found."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor
from torch_geometric.data import Data

from gmoe.common.arguments import check_choice, check_integer
from gmoe.common.files import nearest_name
from gmoe.common.shown import counted
from gmoe.datasets.links.info import LINK_SETS, LinkInfo
from gmoe.datasets.links.ogb import read_ogb_links
from gmoe.datasets.links.pairs import check_pairs
from gmoe.datasets.links.split import (
    PARTS,
    SHARES,
    LinkSplit,
    check_split,
    draw_others,
    random_split,
    without_links,
)
from gmoe.datasets.links.tables import once, read_link_table
from gmoe.datasets.nodes.saved import read_saved
from gmoe.datasets.nodes.splits import MAX_SEED

# Nodes without features have at most as many numbers for each with an edge.
_MOST_NUMBERS = 10


class LinkGraph(NamedTuple):
    """A graph whose missing edges are to be found, and what is known of it.

    Args:
        data: The graph of the training links: :obj:`edge_index`, each in both
            directions, :obj:`num_nodes`, and features :obj:`x` if nodes have
            some.
        links: The links of ``'train'``, ``'valid'`` and ``'test'``, once
            each, of shape ``[2, num_pairs]``.
        others: Pairs of nodes that are no links, for ``'valid'`` and
            ``'test'``.
        info: Its name and its score.
        notes: What was done to it, as sentences.
        ids: The ids of the nodes, where they are not their numbers.
    """

    data: Data
    links: dict[str, Tensor]
    others: dict[str, Tensor]
    info: LinkInfo
    notes: tuple[str, ...]
    ids: tuple[str, ...] | None = None


def load_links(
    name: str | os.PathLike[str],
    root: str | os.PathLike[str] = 'data',
    seed: int = 0,
) -> LinkGraph:
    """Loads a public graph, or one of your own, whose links have no
    direction.

    Args:
        name: A key of :obj:`LINK_SETS`; or the path of a graph of your own: a
            list of edges in CSV, or a folder with ``nodes.csv`` and
            ``edges.csv``, as
            :func:`~gmoe.datasets.links.tables.read_link_table` takes them; or
            a ``Data`` that ``torch.save`` has written, as
            :func:`~gmoe.datasets.nodes.saved.read_saved` does.
        root: The folder of the public graphs, which are in folders such as
            ``ogb/ogbl_ddi`` below it.
        seed: Decides on the split of a graph that has none, 80 % training,
            10 % validation and 10 % test links, and on the pairs of nodes
            that scores compare links with, where none are given: as many as
            there are links.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file does not hold what it must, or a validation or
            test link is an edge of the training graph.
    """
    check_integer(0, MAX_SEED, split_seed=seed)
    info = LINK_SETS.get(str(name))
    if info is not None:
        folder = Path(root).expanduser() / info.folder
        if not folder.is_dir():
            raise FileNotFoundError(
                f"'root' must be a folder with '{info.folder}' for "
                f"'{info.name}', got '{root}'"
            )
        data, split = read_ogb_links(folder, info)
        return _checked(data, split, info, [], None)
    path = _own(name)
    info = LinkInfo(path.stem, 'rocauc', str(path), 'own', 0)
    if path.is_dir() or path.suffix.lower() == '.csv':
        data, table, ids = read_link_table(path)
        return _from_table(data, table, info, ids, seed)
    data, table = _saved(path)
    return _from_table(data, table, info, None, seed)


def _saved(path: Path) -> tuple[Data, pd.DataFrame]:
    saved = read_saved(path)
    pairs, x = saved.get('edge_index'), saved.get('x')
    is_pairs = pairs is not None and pairs.dtype == torch.long
    if not is_pairs or pairs.dim() != 2 or pairs.size(0) != 2:
        got = 'none'
        if pairs is not None:
            got = f'{pairs.dtype} of shape {list(pairs.shape)}'
        raise ValueError(
            f"'edge_index' of '{path}' must be an int64 tensor of shape "
            f'[2, num_edges], got {got}'
        )
    num_nodes = int(pairs.max()) + 1 if pairs.numel() else 0
    data = Data(num_nodes=num_nodes)
    if x is not None:
        if x.dim() != 2 or not x.float().isfinite().all():
            raise ValueError(
                f"'x' of '{path}' must be finite numbers of shape "
                f'[num_nodes, num_features], got shape {list(x.shape)}'
            )
        data = Data(x=x.float(), num_nodes=len(x))
    # Pairs are numbered, in 64 bits.
    check_integer(1, 2**31 - 1, num_nodes=data.num_nodes)
    check_pairs('edge_index', pairs, data.num_nodes)
    used = pairs.unique().numel()
    if x is None and data.num_nodes > _MOST_NUMBERS * max(used, 1):
        raise ValueError(
            f"'edge_index' of '{path}' must number its nodes from 0 on, as "
            f"each has a vector without 'x', got {data.num_nodes - 1} for one "
            f'of {used}'
        )
    table = pd.DataFrame({'source': pairs[0], 'target': pairs[1]})
    return data, table.assign(split='', label=True)


def _own(name: str | os.PathLike[str]) -> Path:
    path = Path(name).expanduser()
    if not path.exists():
        if not path.suffix and path.name == str(name):
            check_choice('name', str(name), LINK_SETS)
        raise FileNotFoundError(
            f"'name' must be a graph of {list(LINK_SETS)}, or the path of "
            f"one's own, got '{path}'{nearest_name(path)}"
        )
    return path


def _from_table(
    data: Data,
    table: pd.DataFrame,
    info: LinkInfo,
    ids: tuple[str, ...] | None,
    seed: int,
) -> LinkGraph:
    num_nodes, notes = data.num_nodes, []

    def of(part: str, label: bool) -> Tensor:
        rows = table[(table['split'] == part) & (table['label'] == label)]
        ends = rows[['source', 'target']].to_numpy(copy=True).T
        kept, twice = once(torch.from_numpy(ends), num_nodes)
        if twice:
            what = counted(twice, 'edge') if label else counted(twice, 'pair')
            notes.append(
                f'{what} left out: there twice, as links have no direction'
            )
        return kept

    if (table['split'] == '').all():
        links = random_split(of('', True), seed)
        notes.append(
            f'The split is random, with seed {seed}: {SHARES[0]:.0%} of the '
            f'links are for training, {SHARES[1]:.0%} for validation'
        )
    else:
        links = {part: of(part, True) for part in PARTS}
    if table['label'].all():
        others = draw_others(links, num_nodes, seed)
        notes.append(
            'Scores compare links with as many pairs that are none, drawn '
            f'with seed {seed}'
        )
    else:
        others = {part: of(part, False) for part in PARTS[1:]}
    data.edge_index = links['train']
    return _checked(data, LinkSplit(links, others), info, notes, ids)


def _checked(
    data: Data,
    split: LinkSplit,
    info: LinkInfo,
    notes: list[str],
    ids: tuple[str, ...] | None,
) -> LinkGraph:
    num_nodes = data.num_nodes
    check_split(data.edge_index, split, num_nodes, ids)
    split, wrong = without_links(split, num_nodes)
    if wrong:
        notes.append(
            f'{counted(wrong, "pair")} left out that should be none: they are '
            'links'
        )
    for part, pairs in split.others.items():
        if split.links[part].size(1) > 0 and pairs.size(1) == 0:
            raise ValueError(
                f"'{part}' must hold pairs that are no links, which its links "
                'are compared with, got none'
            )
    edges = once(data.edge_index, num_nodes)[0]
    # Tensors of a graph are in both directions; links are there once.
    data.edge_index = torch.cat([edges, edges.flip(0)], dim=1)
    return LinkGraph(data, split.links, split.others, info, tuple(notes), ids)
