"""A network as a function of the encoded nodes of a graph."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from gmoe.common.arguments import check_integer
from gmoe.nn.edge_mask import forget_masks
from gmoe.nn.models.gnn import GNN
from gmoe.nn.models.on_data import on_data


class EncodedGraph(nn.Module):
    r"""A :class:`GNN` as a function of what its encoder makes of the nodes of
    one graph, or of one batch of graphs.

    Codes of atoms are integers, which carry no gradient. Their encoded
    features do, so explainers of PyG, Captum's among them, work on molecules
    in this way::

        function = EncodedGraph(gnn, from_smiles('CCO'), output=0)
        explainer = Explainer(function, CaptumExplainer(...), ...)
        explanation = explainer(function.h, function.edge_index)

    Everything else that the graph has, such as bonds and hop-2 edges, is
    passed to the network as it is.

    Args:
        gnn: The network.
        data: The graph, or a batch of graphs.
        output: The one output that is of interest. (default: all)

    Attributes:
        h: The encoded nodes of shape :math:`(N, D)`, without a gradient.
        edge_index: The edges of the graph.

    Shapes:
        - **input:** encoded nodes :math:`(N, D)`, and the edges of the graph,
          of shape :math:`(2, E)`, which explainers take
        - **output:** graph outputs :math:`(B, C)`, or :math:`(B)` for a
          single :obj:`output`

    Raises:
        ValueError: If there is no such output.
    """

    def __init__(
        self, gnn: GNN, data: Data, output: int | None = None
    ) -> None:
        super().__init__()
        if output is not None:
            check_integer(0, gnn.out_channels - 1, output=output)
        # Explainers bring a module back to the mode that they found it in.
        self.training = gnn.training
        self.gnn = gnn
        self.data = data
        self.output = output
        self.h = self.encode()
        self.edge_index = data.edge_index

    @torch.no_grad()
    def encode(self) -> Tensor:
        """The encoded nodes of the graph, of shape :math:`(N, D)`."""
        encoder = self.gnn.node_encoder
        return self.data.x if encoder is None else encoder(self.data.x)

    def forward(
        self,
        h: Tensor,
        edge_index: Tensor | None = None,
        *,
        return_routing: bool = False,
    ) -> Any:
        """Predicts one row per graph.

        Args:
            h: The encoded nodes.
            edge_index: The edges, for explainers, which give them.
            return_routing: Whether to return the routings too.

        Raises:
            ValueError: If they are of another graph.
        """
        data = self.data
        if h.shape != self.h.shape:
            raise ValueError(
                f"'h' must be of shape {list(self.h.shape)}, as the encoded "
                f'nodes are, got {list(h.shape)}'
            )
        shape = data.edge_index.shape
        if edge_index is not None and edge_index.shape != shape:
            raise ValueError(
                "'edge_index' must be that of the graph, of shape "
                f'{list(shape)}, got {list(edge_index.shape)}'
            )
        encoder = self.gnn.node_encoder
        if encoder is None:
            return self._run(h, return_routing)
        # The codes are still checked, and then replaced.
        handle = encoder.register_forward_hook(lambda *_: h)
        try:
            return self._run(data.x, return_routing)
        finally:
            handle.remove()
            forget_masks(self.gnn)

    def _run(self, x: Tensor, return_routing: bool) -> Any:
        out = on_data(self.gnn, self.data, x, return_routing)
        if self.output is None:
            return out
        if return_routing:
            return out[0][:, self.output], out[1]
        return out[:, self.output]
