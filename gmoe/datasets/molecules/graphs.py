"""The graphs of many molecules: made in parallel, and kept by content."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from gmoe.common.require import require
from gmoe.datasets.cache import TensorCache, Tensors
from gmoe.datasets.molecules.codes import Codes, codes
from gmoe.datasets.molecules.info import CANONICAL
from gmoe.datasets.molecules.molecule import (
    NOTES,
    Molecule,
    Refused,
    prepare_molecule,
)
from gmoe.datasets.molecules.parallel import map_chunks
from gmoe.nn.encoders.ogb_codes import FEATURIZATION

#: Part of the fingerprint: a new way to store graphs makes old caches void.
FORMAT_VERSION = 1


class Graphs(NamedTuple):
    r"""The graphs of a list of SMILES strings.

    Args:
        tensors: The graphs of those that are kept, one after the other, in
            the narrowest data type: ``num_nodes`` and ``num_edges``
            :math:`(N)`, ``x`` :math:`(|V|, 9)`, ``edge`` :math:`(|E| / 2,
            2)` and ``edge_attr`` :math:`(|E| / 2, 3)` with each bond once.
        found: What was decided about each string.
    """

    tensors: Tensors
    found: list[Molecule | Refused]


def make_graphs(
    smiles: Sequence[str],
    num_workers: int | None = None,
    label: str | None = None,
) -> Graphs:
    """Makes the graphs of SMILES strings, of their canonical forms. Needs
    RDKit.

    Args:
        smiles: The strings.
        num_workers: The number of other processes. (default: as many as
            there are CPUs, or none for a few)
        label: What a progress bar says; no bar without it.
    """
    found: list[Molecule | Refused] = []
    arrays: list[dict[str, np.ndarray]] = [_no_graphs()]
    for part, chunk in map_chunks(_make, smiles, num_workers, label):
        found += part
        arrays.append(chunk)
    tensors = {
        key: torch.from_numpy(np.concatenate([chunk[key] for chunk in arrays]))
        for key in arrays[0]
    }
    return Graphs(tensors, found)


def cached_graphs(
    smiles: Sequence[str],
    name: str = 'molecules',
    cache_dir: str | os.PathLike[str] | None = None,
    num_workers: int | None = None,
    label: str | None = None,
) -> Graphs:
    """Makes graphs as :func:`make_graphs` does, or takes them from a cache,
    where the same strings have been read before.

    Args:
        smiles: The strings.
        name: What the cache's file is called.
        cache_dir: The folder of caches. (default: the environment variable
            :obj:`GMOE_CACHE_DIR`, or one in the user's cache)
        num_workers: The number of other processes.
        label: What a progress bar says; no bar without it.
    """
    cache = TensorCache.by_content(name, _fingerprint(smiles), cache_dir)

    def make() -> Tensors:
        graphs = make_graphs(smiles, num_workers, label)
        return {**graphs.tensors, 'found': _pack(graphs.found)}

    tensors = cache.get(make)
    return Graphs(
        {key: value for key, value in tensors.items() if key != 'found'},
        _unpack(tensors['found']),
    )


def graphs_of(
    smiles: Sequence[str],
    features: Any = None,
    num_workers: int | None = None,
    columns: np.ndarray | None = None,
) -> tuple[list[Data | None], list[str]]:
    r"""Makes graphs for a network that was trained on own molecules, in the
    way in which theirs were made.

    Args:
        smiles: The SMILES strings, as they were written.
        features: The :class:`MoleculeFeatures` of the network, if it has
            some.
        num_workers: The number of other processes. (default: as many as
            there are CPUs, or none for a few molecules)
        columns: The values of the columns that the features have, of shape
            :math:`(N, C)`, if any.

    Returns:
        A graph for each string, :obj:`None` for those that are refused; and
        for each the reason, empty for those that are not.

    Shapes:
        - **graph:** :obj:`x` :math:`(|V|, 9)`, :obj:`edge_index`
          :math:`(2, |E|)`, :obj:`edge_attr` :math:`(|E|, 3)`, all int64, and
          with features :obj:`graph_attr` :math:`(1, F)`; the canonical
          string as :obj:`smiles`, and the mark :obj:`featurization`
    """
    graphs = make_graphs(smiles, num_workers)
    kept = [m.canonical for m in graphs.found if isinstance(m, Molecule)]
    whole = whole_data(graphs.tensors)
    nodes = [0, *graphs.tensors['num_nodes'].cumsum(0).tolist()]
    edges = [0, *(2 * graphs.tensors['num_edges'].cumsum(0)).tolist()]
    attr = None
    if features is not None and kept:
        if columns is not None:
            is_kept = [isinstance(m, Molecule) for m in graphs.found]
            columns = columns[is_kept]
        values = features.compute(kept, num_workers, columns=columns)
        attr = torch.as_tensor(values).float()
    made: list[Data] = []
    for i, text in enumerate(kept):
        data = Data(
            x=whole.x[nodes[i] : nodes[i + 1]],
            edge_index=whole.edge_index[:, edges[i] : edges[i + 1]],
            edge_attr=whole.edge_attr[edges[i] : edges[i + 1]],
            smiles=text,
            featurization=FEATURIZATION,
        ).contiguous()
        if attr is not None:
            data.graph_attr = attr[i : i + 1]
        made.append(data)
    left = iter(made)
    out: list[Data | None] = []
    for found in graphs.found:
        out.append(None if isinstance(found, Refused) else next(left))
    return out, [getattr(found, 'reason', '') for found in graphs.found]


def whole_data(tensors: Tensors) -> Data:
    """The graphs as the tensors of one, with each bond in both directions.

    Args:
        tensors: Those of :class:`Graphs`.
    """
    edge: Tensor = tensors['edge'].long()
    edge = torch.stack([edge, edge.flip(1)], dim=1).view(-1, 2)
    return Data(
        x=tensors['x'].long(),
        edge_index=edge.t().contiguous(),
        edge_attr=tensors['edge_attr'].long().repeat_interleave(2, dim=0),
    )


def select(tensors: Tensors, is_kept: Tensor) -> Tensors:
    """Some of the graphs.

    Args:
        tensors: Those of :class:`Graphs`.
        is_kept: Which ones, bool :math:`(N)`.
    """
    nodes, edges = tensors['num_nodes'], tensors['num_edges']
    is_node = is_kept.repeat_interleave(nodes)
    is_edge = is_kept.repeat_interleave(edges)
    return {
        'num_nodes': nodes[is_kept],
        'num_edges': edges[is_kept],
        'x': tensors['x'][is_node],
        'edge': tensors['edge'][is_edge],
        'edge_attr': tensors['edge_attr'][is_edge],
    }


def _make(
    smiles: list[str],
) -> tuple[list[Molecule | Refused], dict[str, np.ndarray]]:
    found: list[Molecule | Refused] = []
    made = []
    for text in smiles:
        prepared = prepare_molecule(text)
        if isinstance(prepared, Refused):
            found.append(prepared)
            continue
        try:
            made.append(codes(prepared[1]))
        except ValueError as error:
            found.append(Refused(str(error)))
        else:
            found.append(prepared[0])
    return found, join_codes(made)


def join_codes(made: Sequence[Codes]) -> dict[str, np.ndarray]:
    """The codes of molecules, one after the other, as the tensors of
    :class:`Graphs` have them.

    Args:
        made: The codes of each.
    """
    if not made:
        return _no_graphs()
    x, edge, edge_attr = (np.concatenate(part) for part in zip(*made))
    return {
        'num_nodes': np.array([len(m.x) for m in made], dtype=np.int32),
        'num_edges': np.array([len(m.edge) for m in made], dtype=np.int32),
        'x': x,
        'edge': edge,
        'edge_attr': edge_attr,
    }


def _no_graphs() -> dict[str, np.ndarray]:
    return {
        'num_nodes': np.empty(0, dtype=np.int32),
        'num_edges': np.empty(0, dtype=np.int32),
        'x': np.empty((0, 9), dtype=np.uint8),
        'edge': np.empty((0, 2), dtype=np.int32),
        'edge_attr': np.empty((0, 3), dtype=np.uint8),
    }


def _fingerprint(smiles: Sequence[str]) -> str:
    version = require('rdkit', 'mol').__version__
    digest = hashlib.sha256(f'{FORMAT_VERSION} {CANONICAL} {version}'.encode())
    for text in smiles:
        content = text.encode(errors='surrogatepass')
        digest.update(len(content).to_bytes(8, 'little') + content)
    return digest.hexdigest()


def _pack(found: list[Molecule | Refused]) -> Tensor:
    """What was decided as a tensor: JSON in UTF-8."""
    plain = [
        m.reason
        if isinstance(m, Refused)
        else [m.canonical, *(NOTES.index(note) for note in m.notes)]
        for m in found
    ]
    return torch.frombuffer(
        bytearray(json.dumps(plain).encode()), dtype=torch.uint8
    )


def _unpack(packed: Tensor) -> list[Molecule | Refused]:
    return [
        Refused(m)
        if isinstance(m, str)
        else Molecule(m[0], tuple(NOTES[i] for i in m[1:]))
        for m in json.loads(packed.numpy().tobytes())
    ]
