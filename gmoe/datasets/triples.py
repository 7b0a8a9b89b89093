"""Graphs of triples from anywhere, in the form of those of WebNLG."""

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.utils import cumsum

from gmoe.datasets._in_memory import CollatedDataset
from gmoe.datasets._webnlg_codes import code_tensors, make_tables
from gmoe.datasets._webnlg_features import TextFeatures
from gmoe.datasets._webnlg_graph import triples_to_graph
from gmoe.datasets._webnlg_protocol import CATEGORIES
from gmoe.datasets._webnlg_xml import Triple, parse_triple


def read_triples(path: str | os.PathLike[str]) -> list[list[Triple]]:
    """Reads graphs of triples of the form `subject | property | object`, one
    per line, with an empty line between graphs.

    Args:
        path (str): The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line holds no triple, or the file none.
    """
    graphs: list[list[Triple]] = [[]]
    text = Path(path).expanduser().read_text(encoding='utf-8')
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            graphs.append([])
            continue
        try:
            graphs[-1].append(parse_triple(line))
        except ValueError as e:
            raise ValueError(f"'{path}', line {number}: {e}") from e
    graphs = [graph for graph in graphs if graph]
    if not graphs:
        raise ValueError(f"'{path}' needs to hold at least one triple")
    return graphs


class TripleDataset(CollatedDataset):
    """Graphs of triples without categories, as codes of their texts, as
    :class:`WebNLGDataset` with :obj:`codes` has them.

    Args:
        graphs (List[List[Tuple[str, str, str]]]): The triples of each graph.
        features (TextFeatures): How texts become features, see
            :meth:`WebNLGDataset.make_text_features`.

    Raises:
        ValueError: If a graph has no triples.
    """

    categories = CATEGORIES

    def __init__(
        self, graphs: Sequence[Sequence[Triple]], features: TextFeatures
    ) -> None:
        super().__init__(None)
        self.graphs = [triples_to_graph(triples) for triples in graphs]
        nodes, properties = make_tables(self.graphs, features.make)
        self.node_table: Tensor = nodes.rows
        self.property_table: Tensor = properties.rows
        edges = cumsum(torch.tensor([2 * len(g.source) for g in self.graphs]))
        single = torch.arange(len(graphs) + 1)
        self._data = Data(
            **code_tensors(self.graphs, nodes, properties),
            # No category is known.
            y=torch.full((len(graphs),), -1),
            graph_id=torch.arange(len(graphs)),
        )
        self.slices = {
            'x': cumsum(torch.tensor([len(g.node_text) for g in self.graphs])),
            'edge_index': edges,
            'edge_attr': edges,
            'y': single,
            'graph_id': single,
        }

    def take(self, index: Tensor | Sequence[int]) -> Batch:
        """Returns some graphs as a batch.

        Args:
            index (torch.Tensor): The positions of the graphs.
        """
        batch = super().take(index)
        batch.node_type = batch.x[:, 1]
        batch.root_mask = batch.x[:, 2] == 1
        return batch
