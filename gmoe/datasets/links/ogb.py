"""Reads OGB's graphs of links in their official layout."""

from __future__ import annotations

from pathlib import Path

import torch
from torch_geometric.data import Data

from gmoe.datasets.errors import CorruptDatasetError
from gmoe.datasets.links.info import LinkInfo
from gmoe.datasets.links.pairs import check_pairs
from gmoe.datasets.links.saved_pairs import read_saved_pairs
from gmoe.datasets.links.split import LinkSplit
from gmoe.datasets.nodes.ogb import read_ogb_number, read_ogb_table

_PARTS = ('train', 'valid', 'test')


def read_ogb_links(folder: Path, info: LinkInfo) -> tuple[Data, LinkSplit]:
    """Reads ``ogbl-ddi`` or ``ogbl-ppa``, with the official split and the
    official pairs that are no links.

    Args:
        folder: The graph's folder.
        info: What is known of it.

    Returns:
        The graph, with one edge for each link that training may look at, and
        the links of each part.

    Raises:
        FileNotFoundError: If a file is missing.
        CorruptDatasetError: If a file does not hold what it must.
    """
    raw = folder / 'raw'
    num_nodes = read_ogb_number(raw / 'num-node-list.csv.gz')
    num_edges = read_ogb_number(raw / 'num-edge-list.csv.gz')
    path = raw / 'edge.csv.gz'
    edge = torch.from_numpy(read_ogb_table(path, 2, num_edges))
    edge_index = edge.t().contiguous()
    _check('edge', edge_index, num_nodes, path)
    data = Data(edge_index=edge_index, num_nodes=num_nodes)
    if info.num_features:
        path = raw / 'node-feat.csv.gz'
        sizes = info.num_features, num_nodes, True
        data.x = torch.from_numpy(read_ogb_table(path, *sizes)).float()
        if not data.x.isfinite().all():
            raise CorruptDatasetError(path, 'features must be finite')
    links, others = {}, {}
    for part in _PARTS:
        path = folder / 'split' / info.split / f'{part}.pt'
        names = ['edge'] if part == 'train' else ['edge', 'edge_neg']
        found = read_saved_pairs(path, names)
        for name, pairs in found.items():
            _check(name, pairs, num_nodes, path)
        links[part] = found['edge']
        if part != 'train':
            others[part] = found['edge_neg']
    return data, LinkSplit(links, others)


def _check(name: str, pairs: torch.Tensor, num_nodes: int, path: Path) -> None:
    try:
        check_pairs(name, pairs, num_nodes)
    except ValueError as error:
        raise CorruptDatasetError(path, str(error)) from error
