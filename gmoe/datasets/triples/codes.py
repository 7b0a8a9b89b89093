"""Graphs of triples as integers, and with features in their place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform
from torch_geometric.utils import scatter

from gmoe.datasets.triples.graph import TripleGraph
from gmoe.datasets.triples.text import NodeType


@dataclass(frozen=True)
class CodeTable:
    """Texts, each with a code from one on, and a row of features by code.

    A hidden text has the code zero, and all of its features are zero.
    """

    code: dict[str, int]
    rows: Tensor

    @classmethod
    def make(cls, texts: Sequence[str], rows: Tensor) -> 'CodeTable':
        """Returns the table of some distinct texts."""
        code = {text: i for i, text in enumerate(texts, start=1)}
        return cls(code, torch.cat([rows.new_zeros(1, rows.size(1)), rows]))


def make_tables(
    graphs: Sequence[TripleGraph],
    features: Callable[[Sequence[str]], Tensor],
) -> tuple[CodeTable, CodeTable]:
    """Returns the tables of the texts of nodes and of properties."""
    nodes = sorted({text for g in graphs for text in g.node_text})
    properties = sorted({text for g in graphs for text in g.property_text})
    return (
        CodeTable.make(nodes, features(nodes)),
        CodeTable.make(properties, features(properties)),
    )


def edge_text(graph: TripleGraph) -> list[str]:
    """Returns the text of each edge, each followed by its inverse."""
    return [text for text in graph.property_text for _ in range(2)]


def code_tensors(
    graphs: Sequence[TripleGraph],
    nodes: CodeTable,
    properties: CodeTable,
    entity_text: bool = True,
) -> dict[str, Tensor]:
    """Returns graphs as integers, one after the other, each edge followed by
    its inverse.

    Args:
        graphs: The graphs.
        nodes: The texts of nodes.
        properties: The texts of properties.
        entity_text: Whether the text of entities is shown.

    Shapes:
        - **output:** ``x`` :math:`(|V|, 3)` with the code of the text, the
          kind, and whether it is the root; ``edge_index`` :math:`(2, |E|)`;
          ``edge_attr`` :math:`(|E|, 2)` with the code of the property, and 0
          from subject to object, 1 back
    """
    x, edge_index, edge_attr = [], [], []
    for graph in graphs:
        for i, (kind, text) in enumerate(
            zip(graph.node_type, graph.node_text)
        ):
            is_shown = entity_text or kind != NodeType.ENTITY
            code = nodes.code[text] if is_shown else 0
            x.append([code, int(kind), int(i == graph.root)])
        for s, t, text in zip(graph.source, graph.target, graph.property_text):
            code = properties.code[text]
            edge_index += [[s, t], [t, s]]
            edge_attr += [[code, 0], [code, 1]]
    return {
        'x': torch.tensor(x),
        'edge_index': torch.tensor(edge_index).t().contiguous(),
        'edge_attr': torch.tensor(edge_attr),
    }


def mark_nodes(data: Any) -> Any:
    """Returns a graph or a batch of codes with ``node_type`` and
    ``root_mask``, which features do not replace."""
    data.node_type, data.root_mask = data.x[:, 1], data.x[:, 2] == 1
    return data


class TripleFeatures(BaseTransform):
    r"""Replaces the codes of a graph of triples by features.

    The features of a node are those of its text, its kind (one of
    :class:`~gmoe.datasets.webnlg.NodeType`, one-hot), and whether it is the
    root. The features of an edge are those of its property, and its direction
    (one of two, one-hot). Comes before :class:`~gmoe.transforms.TwoHop`, which
    gives hop-2 edges the features of both of their edges.

    Args:
        node_table: The features of the text of a node, by code.
        property_table: The features of a property, by code.
        relation_features: Whether a node also has the mean features of the
            properties it is the subject of, and of those it is the object of.

    Shapes:
        - **tables:** :math:`(C, D)`
        - **input:** a graph of codes, ``x`` :math:`(|V|, 3)` and
          ``edge_attr`` :math:`(|E|, 2)`
        - **output:** ``x`` :math:`(|V|, D + 7)`, or :math:`(|V|, 3 D + 7)`
          with ``relation_features``; ``edge_attr`` :math:`(|E|, D + 2)`
    """

    def __init__(
        self,
        node_table: Tensor,
        property_table: Tensor,
        relation_features: bool = False,
    ) -> None:
        self.node_table = node_table
        self.property_table = property_table
        self.relation_features = relation_features

    def forward(self, data: Data) -> Data:
        code, kind, is_root = data.x.unbind(dim=1)
        edge_code, direction = data.edge_attr.unbind(dim=1)
        edge = self.property_table[edge_code]
        parts = [
            self.node_table[code],
            F.one_hot(kind, len(NodeType)).float(),
            is_root.float().unsqueeze(1),
        ]
        if self.relation_features:
            # An edge leaves its subject, and its inverse leaves the object.
            for way in (0, 1):
                mask = direction == way
                parts.append(
                    scatter(
                        edge[mask],
                        data.edge_index[0, mask],
                        dim=0,
                        dim_size=code.numel(),
                        reduce='mean',
                    )
                )
        data.x = torch.cat(parts, dim=1)
        data.edge_attr = torch.cat([edge, F.one_hot(direction, 2).float()], 1)
        return data
