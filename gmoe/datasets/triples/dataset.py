"""Graphs of triples from anywhere, in the form of those of WebNLG."""

import codecs
import os
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.utils import cumsum

from gmoe._shown import shown
from gmoe._triple import Triple, clean_name, to_triple
from gmoe.datasets.collated import CollatedDataset
from gmoe.datasets.webnlg.codes import code_tensors, make_tables
from gmoe.datasets.webnlg.features import TextFeatures
from gmoe.datasets.webnlg.graph import TripleGraph, triples_to_graph
from gmoe.datasets.webnlg.protocol import CATEGORIES
from gmoe.datasets.webnlg.xml import MAX_FILE_SIZE

# Not all that `str.splitlines` takes for one: names hold the others.
_LINE_END = re.compile('\r\n|\r|\n')
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_triples(path: str | os.PathLike[str]) -> list[list[Triple]]:
    """Reads graphs of triples of the form `subject | property | object`, one
    per line, with an empty line between graphs.

    The file is text in UTF-8, with or without a byte order mark. Characters
    that Unicode composes in several ways (as "é") are read in one of them.

    Args:
        path (str): The file.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be read.
        ValueError: If it is too large or no text in UTF-8, or a line holds
            no triple, or the file none.
    """
    graphs: list[list[Triple]] = [[]]
    text = _read_text(Path(path).expanduser())
    for number, line in enumerate(_LINE_END.split(text), start=1):
        if not clean_name(line):
            graphs.append([])
            continue
        graphs[-1].append(
            to_triple(line, f"'{path}', line {number}: a triple")
        )
    graphs = [graph for graph in graphs if graph]
    if not graphs:
        raise ValueError(f"'{path}' must hold at least one triple, got none")
    return graphs


def _read_text(path: Path) -> str:
    try:
        with path.open('rb') as file:
            content = file.read(MAX_FILE_SIZE + 1)
    except FileNotFoundError as e:
        raise FileNotFoundError(
            f"'path' must be a file of triples, got '{path}', which is not "
            'there'
        ) from e
    except OSError as e:
        raise OSError(
            f"'path' must be a file that can be read, got '{path}' "
            f'({e.strerror})'
        ) from e
    if len(content) > MAX_FILE_SIZE:
        raise ValueError(
            f"'{path}' must be of at most {MAX_FILE_SIZE} bytes, got more"
        )
    found = None
    if content.startswith(_UTF_16) or b'\0' in content:
        found = 'UTF-16 or zero bytes'
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError as e:
        line = content.count(b'\n', 0, e.start) + 1
        byte = content[e.start]
        found = found or f'the byte 0x{byte:02x} in line {line}'
    if found is not None:
        raise ValueError(
            f"'{path}' must be text in UTF-8, got {found}: save it as UTF-8"
        )
    return text


class TripleDataset(CollatedDataset):
    """Graphs of triples, as codes of their texts, as :class:`WebNLGDataset`
    with :obj:`codes` has them.

    Args:
        graphs (List[List[Tuple[str, str, str]]]): The triples of each graph.
        features (TextFeatures): How texts become features, see
            :meth:`WebNLGDataset.make_text_features`.
        categories (List[str], optional): The names of the classes, in the
            order of their labels. (default: those in :obj:`labels`, sorted,
            and those of WebNLG if there are none)
        labels (List[str], optional): The category of each graph, or
            :obj:`None` for one that is not known. (default: :obj:`None`)

    Raises:
        ValueError: If there are no graphs, or one has no triples, or a label
            is not one of the categories.
    """

    task_type = 'multiclass classification'
    eval_metric = 'weighted_f1'

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
        names = _names(labels, len(graphs))
        self.categories = _categories(categories, names)
        self.graphs = [_graph(triples, i) for i, triples in enumerate(graphs)]
        nodes, properties = make_tables(self.graphs, features.make)
        self.node_table: Tensor = nodes.rows
        self.property_table: Tensor = properties.rows
        edges = cumsum(torch.tensor([2 * len(g.source) for g in self.graphs]))
        single = torch.arange(len(graphs) + 1)
        self._data = Data(
            **code_tensors(self.graphs, nodes, properties),
            y=_numbers(names, self.categories),
            graph_id=torch.arange(len(graphs)),
        )
        self.slices = {
            'x': cumsum(torch.tensor([len(g.node_text) for g in self.graphs])),
            'edge_index': edges,
            'edge_attr': edges,
            'y': single,
            'graph_id': single,
        }

    @property
    def num_classes(self) -> int:
        """The number of categories."""
        return len(self.categories)

    def take(self, index: Tensor | Sequence[int]) -> Batch:
        """Returns some graphs as a batch.

        Args:
            index (torch.Tensor): The positions of the graphs.
        """
        batch = super().take(index)
        batch.node_type = batch.x[:, 1]
        batch.root_mask = batch.x[:, 2] == 1
        return batch


def _graph(triples: Sequence[Triple | str], index: int) -> TripleGraph:
    try:
        return triples_to_graph(triples)
    except ValueError as e:
        raise ValueError(f'graph {index}: {e}') from e


def _names(
    labels: Sequence[str | None] | None, count: int
) -> list[str | None]:
    if labels is None:
        return [None] * count
    if isinstance(labels, str) or len(labels) != count:
        raise ValueError(
            f"'labels' must be a category or None for each of the {count} "
            f'graphs, got {shown(labels)}'
        )
    return [label if label is None else _name(label) for label in labels]


def _name(category: object) -> str:
    name = clean_name(category) if isinstance(category, str) else ''
    if not name:
        raise ValueError(
            f'a category must be a text that is not empty, got '
            f'{shown(category)}'
        )
    return name


def _categories(
    categories: Sequence[str] | None, labels: Sequence[str | None]
) -> tuple[str, ...]:
    if categories is None:
        known = {label for label in labels if label is not None}
        return tuple(sorted(known)) or CATEGORIES
    names = [] if isinstance(categories, str) else map(_name, categories)
    out = tuple(names)
    if not out or len(set(out)) < len(out):
        raise ValueError(
            f"'categories' must be distinct names, got {shown(categories)}"
        )
    return out


def _numbers(
    labels: Sequence[str | None], categories: Sequence[str]
) -> Tensor:
    number: dict[str | None, int] = {None: -1}
    number |= {name: i for i, name in enumerate(categories)}
    for i, label in enumerate(labels):
        if label not in number:
            raise ValueError(
                f"'labels' must be of {shown(list(categories))}, got "
                f'{shown(label)} for graph {i}'
            )
    return torch.tensor([number[label] for label in labels])
