"""Datasets of graphs of triples, in the form of those of WebNLG."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from gmoe.common.shown import shown
from gmoe.common.triple import Triple, clean_name
from gmoe.datasets.collated import CollatedDataset
from gmoe.datasets.triples.codes import (
    CodeTable,
    TripleFeatures,
    code_tensors,
    edge_text,
    make_tables,
    mark_nodes,
)
from gmoe.datasets.triples.features import TextFeatures
from gmoe.datasets.triples.graph import TripleGraph, triples_to_graph


class CodedDataset(CollatedDataset):
    """Graphs of triples with categories, as codes of their texts or, where
    :attr:`features` is set, with features in their place."""

    task_type = 'multiclass classification'
    eval_metric = 'weighted_f1'
    #: The number of target columns, not of classes.
    num_tasks = 1

    #: The names of the classes, in the order of their labels.
    categories: Sequence[str]
    #: The features of the text of a node by code, all zero for 0.
    node_table: Tensor
    #: The features of a property by code.
    property_table: Tensor
    #: The transform that turns codes into features on access, if any.
    features: TripleFeatures | None = None

    def _store(
        self,
        graphs: Sequence[TripleGraph],
        tables: tuple[CodeTable, CodeTable],
        labels: Sequence[str | None],
        entity_text: bool = True,
        text: bool = False,
    ) -> None:
        """Keeps graphs in PyG's storage format of a dataset."""
        nodes, properties = tables
        self.node_table, self.property_table = nodes.rows, properties.rows
        number: dict[str | None, int] = {None: -1}
        number |= {name: i for i, name in enumerate(self.categories)}
        data = Data(
            **code_tensors(graphs, nodes, properties, entity_text),
            y=torch.tensor([number[label] for label in labels]),
            graph_id=torch.arange(len(graphs)),
        )
        if text:
            data.node_text = [graph.node_text for graph in graphs]
            data.edge_text = [edge_text(graph) for graph in graphs]
        self._hold(
            data,
            torch.tensor([len(graph.node_text) for graph in graphs]),
            torch.tensor([2 * len(graph.source) for graph in graphs]),
        )

    @property
    def num_classes(self) -> int:
        """The number of categories."""
        return len(self.categories)

    def get(self, idx: int) -> Data:
        data = mark_nodes(super().get(idx))
        return data if self.features is None else self.features(data)

    def take(self, index: Tensor | Sequence[int]) -> Batch:
        """Returns some graphs of this (part of a) dataset as a batch of
        codes, a hundred times faster than from the graphs one by one.

        Args:
            index: The positions of the graphs.

        Raises:
            ValueError: If the dataset holds features instead of codes.
        """
        if self.features is not None:
            raise ValueError("'codes' must be True for batches, got False")
        return mark_nodes(super().take(index))


class TripleDataset(CodedDataset):
    """Graphs of triples from anywhere. They hold codes of their texts, as
    those of :class:`WebNLGDataset` with ``codes`` do.

    Args:
        graphs: The triples of each graph.
        features: How texts become features.
        categories: The names of the classes, in the order of their labels.
            (default: those in ``labels``, sorted)
        labels: The category of each graph, or :obj:`None` for one that is not
            known.

    Raises:
        ValueError: If there are no graphs, or one has no triples, or a label
            is not one of the categories.
    """

    def __init__(
        self,
        graphs: Sequence[Sequence[Triple | str]],
        features: TextFeatures,
        categories: Sequence[str] | None = None,
        labels: Sequence[str | None] | None = None,
    ) -> None:
        super().__init__(None)
        if isinstance(graphs, str) or len(graphs) == 0:
            raise ValueError(
                f"'graphs' must hold at least one graph, got {shown(graphs)}"
            )
        names = _labels(labels, len(graphs))
        self.categories = _categories(categories, names)
        for i, label in enumerate(names):
            if label not in (None, *self.categories):
                raise ValueError(
                    f"'labels' must be of {shown(list(self.categories))}, "
                    f'got {shown(label)} for graph {i}'
                )
        self.graphs = [_graph(triples, i) for i, triples in enumerate(graphs)]
        self._store(
            self.graphs, make_tables(self.graphs, features.make), names
        )


def _graph(triples: Sequence[Triple | str], index: int) -> TripleGraph:
    try:
        return triples_to_graph(triples)
    except ValueError as e:
        raise ValueError(f'graph {index}: {e}') from e


def _labels(
    labels: Sequence[str | None] | None, count: int
) -> list[str | None]:
    if labels is None:
        return [None] * count
    if isinstance(labels, str) or len(labels) != count:
        raise ValueError(
            f"'labels' must be a category or None for each of the {count} "
            f'graphs, got {shown(labels)}'
        )
    return [label if label is None else _category(label) for label in labels]


def _categories(
    categories: Sequence[str] | None, labels: Sequence[str | None]
) -> tuple[str, ...]:
    if categories is None:
        return tuple(sorted({label for label in labels if label is not None}))
    names = [] if isinstance(categories, str) else map(_category, categories)
    out = tuple(names)
    if not out or len(set(out)) < len(out):
        raise ValueError(
            f"'categories' must be distinct names, got {shown(categories)}"
        )
    return out


def _category(category: object) -> str:
    name = clean_name(category) if isinstance(category, str) else ''
    if not name:
        raise ValueError(
            f'a category must be a text that is not empty, got '
            f'{shown(category)}'
        )
    return name
