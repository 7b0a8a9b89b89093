"""SMILES strings as what a network reads, made by another process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch_geometric.data import Batch
from torch_geometric.utils import cumsum

from gmoe.datasets.collated import take_batch
from gmoe.datasets.molecules.features import MoleculeFeatures
from gmoe.datasets.molecules.graphs import make_graphs, whole_data
from gmoe.datasets.molecules.molecule import Molecule, Refused
from gmoe.molecules.uncertainty.nearest import NearestMolecule

#: The most atoms of a batch, which decide how much memory it takes.
MOST_ATOMS = 20_000


class MoleculeRows(NamedTuple):
    """Molecules with what a network reads beside them.

    Args:
        smiles: Their SMILES strings.
        columns: The values of the columns that it reads, of shape
            :math:`(N, C)`, if any.
        reasons: For each molecule why its columns cannot be read, empty if
            they can; :obj:`None` if all can.
    """

    smiles: Sequence[str]
    columns: np.ndarray | None = None
    reasons: Sequence[str] | None = None


@dataclass
class Featurized:
    """Some molecules as numbers.

    Args:
        reasons: Why each one was refused, empty where it was not.
        graphs: The tensors of the others, as those of
            :class:`~gmoe.datasets.molecules.graphs.Graphs`.
        features: Their features beside the graph, if any.
        similarity: Theirs to the nearest molecule of the training, if it was
            asked for.
    """

    reasons: list[str]
    graphs: dict[str, np.ndarray]
    features: np.ndarray | None = None
    similarity: np.ndarray | None = None

    @property
    def kept(self) -> np.ndarray:
        """The positions of the molecules that were not refused."""
        return np.flatnonzero([not reason for reason in self.reasons])

    def batches(self) -> Iterator[Batch]:
        """Makes batches of the molecules that were not refused, of at most
        :obj:`MOST_ATOMS` atoms each, unless one molecule has more."""
        tensors = {k: torch.from_numpy(v) for k, v in self.graphs.items()}
        data = whole_data(tensors)
        nodes = cumsum(tensors['num_nodes'].long())
        edges = cumsum(2 * tensors['num_edges'].long())
        slices = {'x': nodes, 'edge_index': edges, 'edge_attr': edges}
        if self.features is not None:
            data.graph_attr = torch.from_numpy(self.features)
            slices['graph_attr'] = torch.arange(nodes.numel())
        first = 0
        for i in range(1, nodes.numel()):
            is_last = i == nodes.numel() - 1
            if is_last or int(nodes[i + 1] - nodes[first]) > MOST_ATOMS:
                yield take_batch(data, slices, range(first, i))
                first = i


class Featurizer:
    """Makes numbers of SMILES strings.

    Args:
        features: The settings of the features beside the graph, if any.
        fingerprints: Those of the molecules of the training, to which the
            nearest one is looked for, if any.
    """

    def __init__(
        self,
        features: dict[str, Any] | None = None,
        fingerprints: np.ndarray | None = None,
    ) -> None:
        self.features = None
        if features is not None:
            self.features = MoleculeFeatures.from_dict(features)
        self.nearest = None
        if fingerprints is not None:
            self.nearest = NearestMolecule(fingerprints)

    def __call__(self, molecules: Sequence[str] | MoleculeRows) -> Featurized:
        """Makes numbers of some of them.

        Args:
            molecules: The SMILES strings, by themselves or with columns.

        Raises:
            ValueError: If columns are missing that the features have.
        """
        if not isinstance(molecules, MoleculeRows):
            molecules = MoleculeRows(molecules)
        smiles, columns, wrong = molecules
        wrong = wrong or [''] * len(smiles)
        graphs = make_graphs(
            ['' if bad else text for text, bad in zip(smiles, wrong)],
            num_workers=0,
        )
        kept = [m.canonical for m in graphs.found if isinstance(m, Molecule)]
        made = Featurized(
            [
                bad or (found.reason if isinstance(found, Refused) else '')
                for bad, found in zip(wrong, graphs.found)
            ],
            # As tensors, they would be put into shared memory one by one.
            {key: value.numpy() for key, value in graphs.tensors.items()},
        )
        if self.features is not None:
            if columns is not None:
                columns = columns[made.kept]
            made.features = self.features.compute(
                kept, num_workers=0, columns=columns
            )
        if self.nearest is not None:
            made.similarity = self.nearest.similarity(kept)
        return made
