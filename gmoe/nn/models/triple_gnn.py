"""A network for small knowledge graphs whose nodes and edges are texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.utils import scatter

from gmoe import ops
from gmoe.common.arguments import check_choice, check_integer, check_share
from gmoe.nn.edge_mask import EdgeMask, masked_hops
from gmoe.nn.encoders.embedding import check_categories
from gmoe.nn.encoders.text_table import TextTable
from gmoe.nn.models.layers import MixtureSettings
from gmoe.nn.models.network import Graphs, LayeredNetwork
from gmoe.nn.readout import RootReadout
from gmoe.routing import ROUTER_PRESETS, Routing

#: The kinds of nodes: entity, text, number, quantity, date, year.
NUM_NODE_TYPES = 6


class TripleGNN(LayeredNetwork):
    r"""Classifies graphs of triples, such as those of WebNLG, each of whose
    layers is a single convolution or a mixture of experts as in `GMoE
    <https://arxiv.org/abs/2304.02806>`_.

    Nodes and edges are given as codes of their texts; the features of the
    texts by code, which :meth:`set_tables` takes, are not parameters and not
    saved, so that the network can be given other texts. An edge has a linear
    map of its property's features for each of its two directions. A node has
    a linear map of its text's features, an embedding of its kind, another one
    if it is the root, and, with :obj:`relation_features`, the mean of its
    edges. The layers add to the features of the nodes, and the readout knows
    the root.

    Args:
        out_channels: Number of categories.
        text_channels: Number of features of a text.
        hidden_channels: Size of the hidden features.
        edge_channels: Size of the features of an edge.
        num_layers: Number of layers; 0 for none.
        conv: :obj:`"gin"`, :obj:`"relational"` or :obj:`"gcn"`.
        num_experts: Number of experts :math:`n` in a mixture layer; 1 for
            the single-expert network.
        num_experts_1hop: Number of hop-1 experts :math:`m`; the others look
            at hop-2 edges. (default: all)
        top_k: Number of experts selected per node.
        router: A key of :obj:`gmoe.routing.ROUTER_PRESETS`, or
            :obj:`"uniform"`.
        norm: :obj:`"batch_norm"` or :obj:`"layer_norm"`.
        combine: :obj:`"sum"` or :obj:`"mean"`.
        dispatch: :obj:`"sparse"` or :obj:`"dense"`.
        dropout: Dropout probability of hidden features.
        text_dropout: Dropout probability of the features of texts.
        hide_root: Whether the text of the root is hidden, in evaluation too.
        hide_entities: Whether the texts of all entities are hidden.
        relation_features: Whether a node has the mean of its edges.
        readout: The parts of the readout, as :class:`RootReadout` takes them.
        router_kwargs: Arguments of :class:`~gmoe.routing.Router` that
            override the preset's.

    Shapes:
        - **input:** nodes :math:`(N, 3)` with the code of the text, the kind
          and whether it is the root; edge indices :math:`(2, E)`; edges
          :math:`(E, 2)` with the code of the property and the direction;
          graph of each node :math:`(N)`; hop-2 edge indices
          :math:`(2, E_2)`; hop-2 edges :math:`(E_2, 4)`
        - **output:** one row of logits per graph :math:`(B, C)`, or
          ``(out, routings)`` if :obj:`return_routing`

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        out_channels: int = 16,
        text_channels: int = 256,
        hidden_channels: int = 128,
        edge_channels: int = 64,
        num_layers: int = 2,
        conv: str = 'gin',
        num_experts: int = 1,
        num_experts_1hop: int | None = None,
        top_k: int | None = None,
        router: str = 'linear_softmax_topk',
        norm: str = 'batch_norm',
        combine: str = 'sum',
        dispatch: str = 'sparse',
        dropout: float = 0.3,
        text_dropout: float = 0.0,
        hide_root: bool = False,
        hide_entities: bool = False,
        relation_features: bool = True,
        readout: Sequence[str] = ('root', 'mean'),
        router_kwargs: dict[str, Any] | None = None,
    ) -> None:
        check_integer(
            1,
            out_channels=out_channels,
            text_channels=text_channels,
            hidden_channels=hidden_channels,
            edge_channels=edge_channels,
        )
        check_share(text_dropout=text_dropout)
        check_choice('router', router, (*ROUTER_PRESETS, 'uniform'))
        mixture = MixtureSettings(
            num_experts,
            num_experts_1hop,
            top_k,
            router,
            router_kwargs,
            norm,
            combine,
            dispatch,
        )
        super().__init__(
            mixture, num_layers, None, dropout, residual=True, relu_last=True
        )
        self.out_channels = out_channels
        self.hide_root = hide_root
        self.hide_entities = hide_entities
        self.relation_features = relation_features

        self.node_text = TextTable(
            text_channels, hidden_channels, dropout=text_dropout
        )
        self.property_text = TextTable(
            text_channels, edge_channels, num_maps=2, dropout=text_dropout
        )
        self.node_type = nn.Embedding(NUM_NODE_TYPES, hidden_channels)
        self.root = nn.Embedding(2, hidden_channels)
        self.relations = (
            nn.Linear(edge_channels, hidden_channels)
            if relation_features
            else None
        )
        self.add_layers(conv, hidden_channels, edge_channels)
        self.readout = RootReadout(hidden_channels, edge_channels, readout)
        self.head = nn.Linear(self.readout.out_channels, out_channels)
        self.edge_mask = EdgeMask()

    def set_tables(self, nodes: Tensor, properties: Tensor) -> None:
        """Sets the features of the texts by code; code 0 is a hidden text.

        Args:
            nodes: The features of the texts of nodes.
            properties: The features of the texts of properties.

        Raises:
            ValueError: If a table has the wrong number of features.
        """
        self.node_text.set_table(nodes, 'nodes')
        self.property_text.set_table(properties, 'properties')

    def encode_edges(
        self, edge_attr: Tensor | None, edge_attr_2hop: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None]:
        relation = self.property_text.rows()
        edge = self._edges(relation, edge_attr, 'edge_attr')
        if self.num_hops == 1:
            return edge, None
        return edge, self._edges(relation, edge_attr_2hop, 'edge_attr_2hop')

    def predict(
        self, x: Tensor, graphs: Graphs
    ) -> tuple[Tensor, list[Routing]]:
        dims = (self.node_text.num_texts, NUM_NODE_TYPES, 2)
        check_categories(x, dims, 'x')
        edge_index, edge, hop1, _, batch, batch_size, _ = graphs
        assert edge is not None
        mask = masked_hops(self.edge_mask, hop1)[0].edge_mask
        if mask is not None:  # Of what else is made of edges.
            edge = edge * hop1.to_given(mask).unsqueeze(-1)
        h = self._nodes(x, edge_index, edge)
        hidden, routings = self.run_layers(h, graphs)
        h = self.edge_mask(hidden[-1])
        h = self.readout(h, x[:, 2], edge_index, edge, batch, batch_size)
        h = functional.dropout(h, self.dropout, self.training)
        return self.head(h), routings

    def _edges(
        self, relation: Tensor, attr: Tensor | None, name: str
    ) -> Tensor:
        # A hop-2 edge has the features of both of its edges, in order.
        num_hops = 1 if name == 'edge_attr' else 2
        if attr is None:
            raise ValueError(
                f"'{name}' must be given: the network reads the properties of "
                'edges, those of hop-2 edges as gmoe.transforms.TwoHop makes '
                'them, got None'
            )
        check_categories(
            attr, (self.property_text.num_texts, 2) * num_hops, name
        )
        row = attr.view(-1, 2)
        row = row[:, 0] * 2 + row[:, 1]
        out = ops.gather_rows(relation, row)
        return out.view(attr.size(0), num_hops * relation.size(1))

    def _nodes(self, x: Tensor, edge_index: Tensor, edge: Tensor) -> Tensor:
        code, kind, is_root = x.unbind(dim=1)
        if self.hide_root:
            code = code * (1 - is_root)
        if self.hide_entities:
            code = code * (kind > 0)
        h = self.node_text(code) + self.node_type(kind) + self.root(is_root)
        if self.relations is not None:
            # The edges that leave a node: inverses, where it is the object.
            mean = scatter(edge, edge_index[0], 0, x.size(0), reduce='mean')
            h = h + self.relations(mean)
        h = functional.relu(h)
        return functional.dropout(h, self.dropout, self.training)
