"""One graph that all steps of a training see."""

from __future__ import annotations

import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor
from torch_geometric.data import Data

from gmoe.nn import Neighborhood
from gmoe.training.node_hops import NodeHops


class WholeGraph:
    """One graph that each step sees as a whole, with its hop-2 edges, which
    are made once. It is moved to a device once, too.

    Args:
        data: The graph.
        hops: Makes the hop-2 edges, if there are to be some.
        for_training: Whether training sees it as a whole, too.

    Raises:
        ValueError: If there are too many of them.
    """

    def __init__(
        self, data: Data, hops: NodeHops | None, for_training: bool = True
    ) -> None:
        self.data = data
        self._hop2: dict[bool, Tensor] = {}
        self._on_device: dict[tuple[torch.device, bool], Data] = {}
        if hops is None:
            return
        rank_zero_info(hops.ahead(data))
        pairs = hops.make(data)
        self._hop2[False] = pairs
        line = f'Made {pairs.size(1):,} hop-2 edges'
        if for_training:
            fewer = hops.for_training(pairs, data.num_nodes)
            self._hop2[True] = fewer
            line += f'; training looks at {fewer.size(1):,}'
        rank_zero_info(line)

    def on(self, device: torch.device, is_training: bool) -> Data:
        """The graph on a device.

        Args:
            device: The device.
            is_training: Whether hop-2 edges are those of training.
        """
        # Training and evaluation differ in the hop-2 edges only.
        fewer = is_training and (
            self._hop2.get(True) is not self._hop2.get(False)
        )
        key = device, fewer
        if key not in self._on_device:
            values = self.data.to_dict()
            if fewer in self._hop2:
                values['edge_index_2hop'] = self._hop2[fewer]
            self._on_device[key] = Data(**values).to(device)
        return self._on_device[key]


class SortedEdges:
    """Sorts the edges of each hop once: all steps see the same ones."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[Tensor, Neighborhood]] = {}

    def of(self, data: Data, name: str, key: str = '') -> Neighborhood:
        """The edges of a graph, sorted.

        Args:
            data: The graph.
            name: The name of the edges.
            key: What to keep them under, beside their name.
        """
        edges = data[name]
        kept = self._kept.get((name, key))
        if kept is None or kept[0] is not edges:
            hop = Neighborhood.from_edge_index(
                edges, None, data.num_nodes, name
            )
            kept = self._kept[name, key] = (edges, hop)
        return kept[1]
