"""Which experts each atom of a molecule is routed to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch_geometric.data import Data

from gmoe.training.graph_predictor import GraphPredictor


@dataclass(frozen=True)
class LayerRouting:
    """The routing of the atoms of a molecule, or of several, by one layer.

    Args:
        layer: The number of the layer, from zero.
        gates: The weight of each expert at each atom, of shape
            :math:`(N, n)`, zero where it was not chosen.
        num_experts_1hop: How many experts, the first ones, look at the
            neighbours; the others look at the neighbours' neighbours.
    """

    layer: int
    gates: np.ndarray
    num_experts_1hop: int

    @property
    def num_experts(self) -> int:
        """The number of experts :math:`n`."""
        return self.gates.shape[1]

    @property
    def strongest(self) -> np.ndarray:
        """The expert with the largest weight at each atom."""
        return self.gates.argmax(axis=1)

    def hop(self, expert: int) -> int:
        """How far an expert looks.

        Args:
            expert: Its number.
        """
        return 1 if expert < self.num_experts_1hop else 2

    @property
    def name(self) -> str:
        """The layer as it is called in tables."""
        return f'layer {self.layer}'


@torch.no_grad()
def route(predictor: GraphPredictor, data: Data) -> list[LayerRouting]:
    """The routing of a graph, or of a batch of graphs, layer by layer; of the
    layers that are mixtures, which may be none.

    Args:
        predictor: The network, in evaluation mode.
        data: The graph, with hop-2 edges where the network reads them.
    """
    _, routings = predictor(data)
    gnn = predictor.gnn
    return [
        LayerRouting(
            layer,
            routing.gates.cpu().double().numpy(),
            gnn.num_experts_1hop,
        )
        for layer, routing in zip(gnn.moe_layers, routings)
    ]
