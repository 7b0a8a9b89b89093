"""A trained network, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from torch_geometric.data import Data

from gmoe.datasets.molecules.info import MoleculeInfo
from gmoe.molecules.calibration_data import CalibrationData
from gmoe.ops.two_hop import Mode
from gmoe.training.graph_predictor import GraphPredictor
from gmoe.transforms import TwoHop


@dataclass(frozen=True)
class Member:
    """A trained network: a single one, or one of an ensemble.

    Args:
        predictor: The network, in evaluation mode.
        info: What it predicts.
        two_hop: Which hop-2 edges it reads; see
            :class:`~gmoe.transforms.TwoHop`.
        calibration: What the uncertainty of its predictions is made of, or
            the file that holds it, if any.
        is_ogb: Whether it was trained on a dataset of OGB, whose molecules
            are in an order of their own.
        training: What an exported folder tells of its training, by name:
            plain values.

    Raises:
        ValueError: If the network is for another task, or has another number
            of outputs.
    """

    predictor: GraphPredictor
    info: MoleculeInfo
    two_hop: str = 'exact'
    calibration: Path | CalibrationData | None = None
    is_ogb: bool = False
    training: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found = self.predictor.task_type, self.predictor.gnn.out_channels
        wanted = self.info.task_type, self.info.num_outputs
        if found != wanted:
            raise ValueError(
                f'its network is for {found[0]} with {found[1]} outputs, and '
                f'its molecules for {wanted[0]} with {wanted[1]}'
            )

    @property
    def reads_hop_2(self) -> bool:
        """Whether its network reads hop-2 edges."""
        return self.predictor.gnn.num_hops == 2

    def with_hops(self, data: Data) -> Data:
        """Returns graphs as the network reads them: with hop-2 edges, where
        it reads some. What is given stays as it is.

        Args:
            data: A graph, or a batch of graphs.
        """
        if not self.reads_hop_2:
            return data
        return TwoHop(cast(Mode, self.two_hop))(data.clone())
