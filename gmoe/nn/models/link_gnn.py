"""A network that scores pairs of nodes of one graph."""

from __future__ import annotations

from typing import Any, Literal, overload

from torch import Tensor, nn
from torch_geometric.nn.inits import reset

from gmoe import ops
from gmoe.common.arguments import check_choice, check_integer
from gmoe.nn.models.link_head import LINK_HEADS, LinkHead
from gmoe.nn.models.node_gnn import NodeGNN
from gmoe.nn.models.pretrained import Pretrained
from gmoe.nn.neighborhood import Neighborhood
from gmoe.routing import Routing


class LinkGNN(Pretrained):
    r"""A network that says which nodes of a graph are linked: a
    :class:`NodeGNN` whose layers are single convolutions or mixtures of
    experts, the last of which gives hidden features, and a :class:`LinkHead`.

    With :obj:`norm=None` and :obj:`residual=False`, it is that of OGB's
    examples for `ogbl-ddi and ogbl-ppa
    <https://github.com/snap-stanford/ogb/tree/master/examples/linkproppred>`_.

    Args:
        in_channels: Number of features of a node; :obj:`None` where nodes
            have none. Each then has a vector of its own that is learned.
        num_nodes: Number of nodes, where they have no features.
        hidden_channels: Size of the hidden features.
        num_layers: Number of layers of the encoder.
        dropout: Dropout probability of the encoder and the head.
        head: :obj:`"mlp"` or :obj:`"dot"`, as :class:`LinkHead` has them.
        num_head_layers: Number of layers of :obj:`"mlp"`.
        router_columns: Number of columns of :obj:`router_input`, which
            routers see beside the hidden features.
        **kwargs: More arguments of :class:`NodeGNN`.

    Shapes:
        - **input:** node features :math:`(N, F)` or :obj:`None`, edge indices
          :math:`(2, E)`, pairs of nodes :math:`(2, P)`, hop-2 edge indices
          :math:`(2, E_2)`, router input :math:`(N, C_r)`, node numbers
          :math:`(N)`
        - **output:** logits :math:`(P)`, or ``(out, routings)`` with the
          :class:`~gmoe.routing.Routing` of each mixture layer if
          :obj:`return_routing`

    Raises:
        ValueError: If an argument is out of range.
    """

    #: A pair has one output, and there are no features of whole graphs.
    out_channels = 1
    graph_dims: int | None = None
    graph_features = None

    def __init__(
        self,
        in_channels: int | None = None,
        num_nodes: int | None = None,
        hidden_channels: int = 64,
        num_layers: int = 2,
        dropout: float = 0.2,
        head: str = 'mlp',
        num_head_layers: int = 2,
        router_columns: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        check_choice('head', head, LINK_HEADS)
        check_integer(1, num_head_layers=num_head_layers)
        self.embedding: nn.Embedding | None = None
        if in_channels is None:
            check_integer(1, num_nodes=num_nodes)
            assert num_nodes is not None
            check_integer(1, hidden_channels=hidden_channels)
            self.embedding = nn.Embedding(num_nodes, hidden_channels)
            nn.init.xavier_uniform_(self.embedding.weight)
        self.encoder = NodeGNN(
            in_channels or hidden_channels,
            hidden_channels,
            hidden_channels=hidden_channels,
            num_layers=num_layers,
            dropout=dropout,
            ends='conv',
            router_columns=router_columns,
            **kwargs,
        )
        self.head = LinkHead(hidden_channels, head, num_head_layers, dropout)
        self.num_experts = self.encoder.num_experts
        self.num_experts_1hop = self.encoder.num_experts_1hop
        self.moe_layers = self.encoder.moe_layers
        self.router_columns = router_columns

    @property
    def num_hops(self) -> int:
        """1, or 2 if the network needs hop-2 edges."""
        return self.encoder.num_hops

    def reset_parameters(self) -> None:
        """Resets all parameters and running statistics."""
        reset(self.encoder)
        reset(self.head)
        if self.embedding is not None:
            nn.init.xavier_uniform_(self.embedding.weight)

    @overload
    def forward(
        self,
        x: Tensor | None,
        edge_index: Tensor | Neighborhood,
        pairs: Tensor,
        edge_index_2hop: Tensor | Neighborhood | None = None,
        router_input: Tensor | None = None,
        node: Tensor | None = None,
        *,
        return_routing: Literal[False] = False,
    ) -> Tensor: ...

    @overload
    def forward(
        self,
        x: Tensor | None,
        edge_index: Tensor | Neighborhood,
        pairs: Tensor,
        edge_index_2hop: Tensor | Neighborhood | None = None,
        router_input: Tensor | None = None,
        node: Tensor | None = None,
        *,
        return_routing: Literal[True],
    ) -> tuple[Tensor, list[Routing]]: ...

    def forward(
        self,
        x: Tensor | None,
        edge_index: Tensor | Neighborhood,
        pairs: Tensor,
        edge_index_2hop: Tensor | Neighborhood | None = None,
        router_input: Tensor | None = None,
        node: Tensor | None = None,
        *,
        return_routing: bool = False,
    ) -> Tensor | tuple[Tensor, list[Routing]]:
        """Scores pairs of nodes.

        Args:
            x: Node features; :obj:`None` where they are learned.
            edge_index: Hop-1 edges, in both directions.
            pairs: The two nodes of each pair.
            edge_index_2hop: Hop-2 edges, needed where there are hop-2
                experts.
            router_input: More columns for the routers (see
                :class:`gmoe.transforms.RouterInput`), as many as
                :obj:`router_columns`.
            node: The number of each node, where they have learned features
                and are not all. (default: all, in order)
            return_routing: Whether to return the routings too.

        Raises:
            ValueError: If an input has a wrong shape, type or range, or there
                are features where they are learned, or none where they are
                not.
        """
        h, routings = self.encoder(
            self._features(x, node),
            edge_index,
            edge_index_2hop,
            router_input=router_input,
            return_routing=True,
        )
        out = self.head(h, pairs)
        return (out, routings) if return_routing else out

    def _features(self, x: Tensor | None, node: Tensor | None) -> Tensor:
        if self.embedding is not None and x is None:
            weight = self.embedding.weight
            return weight if node is None else ops.gather_rows(weight, node)
        if self.embedding is None and x is not None:
            return x
        rule = (
            'the features of nodes' if x is None else 'None: they are learned'
        )
        raise ValueError(f"'x' must be {rule}, got {type(x).__name__}")

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(\n  encoder={self.encoder},\n'
            f'  head={self.head},\n)'
        )
