"""Reads and checks the raw files of OGB's molecule datasets."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gmoe.datasets.errors import CorruptDatasetError
from gmoe.datasets.limits import LIMITS, Limits
from gmoe.datasets.ogb.info import OGBMolInfo
from gmoe.datasets.table import parse_csv, read_bytes
from gmoe.nn.encoders.embedding import ATOM_FEATURE_DIMS, BOND_FEATURE_DIMS

#: Part of the fingerprint: a new way to store graphs makes old caches void.
FORMAT_VERSION = 1

RAW_FILES = (
    'num-node-list.csv.gz',
    'num-edge-list.csv.gz',
    'node-feat.csv.gz',
    'edge.csv.gz',
    'edge-feat.csv.gz',
    'graph-label.csv.gz',
)
SPLITS = ('train', 'valid', 'test')
#: The most nodes or edges of one graph, for their sums to fit into 64 bits.
MAX_COUNT = 2**31 - 1


def read_raw_bytes(raw_dir: Path, limits: Limits = LIMITS) -> dict[str, bytes]:
    """Returns the content of the raw files, still compressed.

    Raises:
        FileNotFoundError: If one of them is missing.
        CorruptDatasetError: If one of them is too large.
    """
    missing = [name for name in RAW_FILES if not (raw_dir / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"The folder '{raw_dir}' must hold the files {list(RAW_FILES)}, "
            f'got all but {missing}'
        )
    return {name: read_bytes(raw_dir / name, limits) for name in RAW_FILES}


def fingerprint(raw: dict[str, bytes]) -> str:
    """Returns a hash of the raw files and of the way they are stored."""
    lines = [f'format {FORMAT_VERSION}']
    for name, content in raw.items():
        digest = hashlib.sha256(content).hexdigest()
        lines.append(f'{name} {len(content)} {digest}')
    return hashlib.sha256('\n'.join(lines).encode()).hexdigest()


def parse_raw(
    raw: dict[str, bytes],
    raw_dir: Path,
    info: OGBMolInfo,
    limits: Limits = LIMITS,
) -> dict[str, Tensor]:
    """Parses and checks the raw files.

    Args:
        raw: The content of the files.
        raw_dir: Their folder, for errors to name them.
        info: The number and the kind of the labels that it must have.
        limits: How much a file may hold.

    Returns:
        One tensor for each file, in the narrowest data type: ``num_nodes``
        and ``num_edges`` :math:`(N)`, ``x`` :math:`(|V|, 9)`, ``edge``
        :math:`(|E|, 2)` and ``edge_attr`` :math:`(|E|, 3)` with each bond
        once, ``y`` :math:`(N, T)`.

    Raises:
        CorruptDatasetError: If a file does not hold what it should.
    """

    def table(name: str, columns: int, rows: int | None = None) -> np.ndarray:
        name = f'{name}.csv.gz'
        return parse_csv(raw[name], raw_dir / name, columns, rows, limits)

    path = {name.split('.')[0]: raw_dir / name for name in RAW_FILES}
    num_nodes, num_edges = table('num-node-list', 1), table('num-edge-list', 1)
    for kind, size in [('node', num_nodes), ('edge', num_edges)]:
        _check_all(
            path[f'num-{kind}-list'],
            size,
            (size >= 0) & (size <= MAX_COUNT),
            f'counts must be non-negative and at most {MAX_COUNT}',
        )
    num_nodes, num_edges = num_nodes[:, 0], num_edges[:, 0]
    num_graphs = num_nodes.size
    if num_graphs == 0:
        raise CorruptDatasetError(
            path['num-node-list'], 'it must hold at least one graph, got none'
        )
    per_graph = f"graph in '{path['num-node-list']}'"
    per_node = f"node counted in '{path['num-node-list']}'"
    per_edge = f"edge counted in '{path['num-edge-list']}'"
    _check_rows(path['num-edge-list'], num_edges.size, num_graphs, per_graph)

    x = table('node-feat', len(ATOM_FEATURE_DIMS))
    _check_rows(path['node-feat'], len(x), num_nodes.sum(), per_node)
    _check_categories(path['node-feat'], x, ATOM_FEATURE_DIMS)

    edge = table('edge', 2)
    _check_rows(path['edge'], len(edge), num_edges.sum(), per_edge)
    size = np.repeat(num_nodes, num_edges)[:, None]
    _check_all(
        path['edge'],
        edge,
        (edge >= 0) & (edge < size),
        'node ids must be those of the graph of the edge',
    )

    edge_attr = table('edge-feat', len(BOND_FEATURE_DIMS))
    _check_rows(path['edge-feat'], len(edge_attr), len(edge), per_edge)
    _check_categories(path['edge-feat'], edge_attr, BOND_FEATURE_DIMS)

    y = table('graph-label', info.num_tasks, num_graphs)
    _check_rows(path['graph-label'], len(y), num_graphs, per_graph)
    is_label, rule = ~np.isinf(y), 'labels must be finite or missing'
    if info.task_type == 'binary classification':
        is_label = (y == 0) | (y == 1) | np.isnan(y)
        rule = 'labels must be 0, 1 or missing'
    _check_all(path['graph-label'], y, is_label, rule)

    return {
        'num_nodes': torch.from_numpy(num_nodes).int(),
        'num_edges': torch.from_numpy(num_edges).int(),
        'x': torch.from_numpy(x.astype(np.uint8)),
        'edge': torch.from_numpy(edge.astype(np.int32)),
        'edge_attr': torch.from_numpy(edge_attr.astype(np.uint8)),
        'y': torch.from_numpy(y.astype(np.float32)),
    }


def read_split(
    folder: Path,
    num_graphs: int,
    limits: Limits = LIMITS,
    names: Sequence[str] = SPLITS,
) -> dict[str, Tensor]:
    """Reads and checks the split of a dataset.

    Args:
        folder: Its folder.
        num_graphs: The number of graphs of the dataset.
        limits: How much a file may hold.
        names: The names of the three files.

    Returns:
        The graphs of `train`, `valid` and `test`.

    Raises:
        FileNotFoundError: If the folder or one of its files is missing.
        CorruptDatasetError: If the three parts do not hold each graph once.
    """
    out: dict[str, Tensor] = {}
    owner = torch.full((num_graphs,), -1)
    for i, (name, file) in enumerate(zip(SPLITS, names)):
        path = folder / f'{file}.csv.gz'
        if not path.is_file():
            raise FileNotFoundError(
                f"The split must have the file '{path}', got none"
            )
        content = read_bytes(path, limits)
        index = parse_csv(content, path, 1, limits=limits)[:, 0]
        is_id = (index >= 0) & (index < num_graphs)
        _check_all(
            path,
            index[:, None],
            is_id[:, None],
            f'ids must be from 0 to {num_graphs - 1}',
        )
        out[name] = torch.from_numpy(index)
        if bool((owner[out[name]] >= 0).any()):
            other = SPLITS[int(owner[out[name]].max())]
            raise CorruptDatasetError(
                path,
                f"ids must be in one part only, got ids of '{other}' too",
            )
        owner[out[name]] = i
        if int((owner == i).sum()) != index.size:
            raise CorruptDatasetError(
                path, 'ids must be unique, got one twice'
            )
    if bool((owner < 0).any()):
        missing = int((owner < 0).nonzero()[0])
        raise CorruptDatasetError(
            folder,
            f'the split must hold each of the {num_graphs} graphs, got graph '
            f'{missing} in none of {list(SPLITS)}',
        )
    return out


def _check_rows(path: Path, got: int, expected: int, what: str) -> None:
    if got != expected:
        raise CorruptDatasetError(
            path,
            f'it must hold one row for each {what}, {expected} rows, got '
            f'{got}',
        )


def _check_categories(
    path: Path, value: np.ndarray, dims: tuple[int, ...]
) -> None:
    _check_all(
        path,
        value,
        (value >= 0) & (value < np.array(dims)),
        f'features must be from 0 to less than {list(dims)}',
    )


def _check_all(
    path: Path, value: np.ndarray, is_valid: np.ndarray, rule: str
) -> None:
    if not is_valid.all():
        row, column = np.argwhere(~is_valid)[0]
        raise CorruptDatasetError(
            path, f'{rule}, got {value[row, column]} in line {row + 1}'
        )
