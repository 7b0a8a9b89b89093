"""A readout that knows the root of each graph."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter, softmax

#: What a readout may consist of.
READOUTS = ('root', 'mean', 'max', 'attention', 'root_edges', 'edges')


class RootReadout(nn.Module):
    r"""Concatenates features of each graph:

    - ``"root"``: the features of its root (the mean, if there are several),
    - ``"mean"`` and ``"max"``: those of all of its nodes,
    - ``"attention"``: their sum, weighted by a softmax of learned scores,
    - ``"root_edges"`` and ``"edges"``: the mean features of the edges that
      leave the root, and of all edges.

    A part that a graph has nothing of is zero.

    Args:
        channels: Size of the features of a node.
        edge_channels: Size of the features of an edge.
        parts: The names of the parts.

    Shapes:
        - **input:** node features :math:`(N, D)`, which nodes are roots
          :math:`(N)`, edge indices :math:`(2, E)`, edge features
          :math:`(E, F)`, graph of each node :math:`(N)`, number of graphs
        - **output:** :math:`(B, D_{out})`

    Raises:
        ValueError: If there are no parts, or one is unknown.
    """

    def __init__(
        self,
        channels: int,
        edge_channels: int,
        parts: Sequence[str] = ('root', 'mean'),
    ) -> None:
        super().__init__()
        unknown = [part for part in parts if part not in READOUTS]
        if unknown or len(parts) == 0 or len(set(parts)) < len(parts):
            raise ValueError(
                f"'readout' must be distinct ones of {READOUTS}, got "
                f'{list(parts)}'
            )
        self.parts = tuple(parts)
        self.score = (
            nn.Linear(channels, 1) if 'attention' in self.parts else None
        )
        self.out_channels = sum(
            edge_channels if part.endswith('edges') else channels
            for part in self.parts
        )

    def reset_parameters(self) -> None:
        """Resets the scores."""
        if self.score is not None:
            self.score.reset_parameters()

    def forward(
        self,
        h: Tensor,
        is_root: Tensor,
        edge_index: Tensor,
        edge: Tensor,
        batch: Tensor,
        batch_size: int,
    ) -> Tensor:
        """Reads out each graph."""
        # What is not of interest goes to a row beyond, which is cut off.
        root = torch.where(is_root > 0, batch, batch_size)
        source = edge_index[0]

        def pool(rows: Tensor, index: Tensor, reduce: str) -> Tensor:
            out = scatter(rows, index, 0, batch_size + 1, reduce=reduce)
            return out[:batch_size]

        outs = []
        for part in self.parts:
            if part == 'root':
                outs.append(pool(h, root, 'mean'))
            elif part == 'attention':
                assert self.score is not None
                weight = softmax(self.score(h), batch, num_nodes=batch_size)
                outs.append(pool(weight * h, batch, 'sum'))
            elif part == 'root_edges':
                outs.append(pool(edge, root[source], 'mean'))
            elif part == 'edges':
                outs.append(pool(edge, batch[source], 'mean'))
            else:
                outs.append(pool(h, batch, part))
        return torch.cat(outs, dim=1)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({", ".join(self.parts)})'
