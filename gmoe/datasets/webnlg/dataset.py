"""WebNLG: small knowledge graphs with a category, as graphs and as text."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.utils import cumsum

from gmoe.datasets.cache import default_cache_dir, given_cache_dir
from gmoe.datasets.collated import CollatedDataset
from gmoe.datasets.webnlg.codes import (
    add_features,
    code_tensors,
    edge_text,
    make_tables,
)
from gmoe.datasets.webnlg.features import Features, TextFeatures
from gmoe.datasets.webnlg.graph import TripleGraph, triples_to_graph
from gmoe.datasets.webnlg.holdout import held_out_split
from gmoe.datasets.webnlg.protocol import (
    CATEGORIES,
    KINDS,
    PROTOCOLS,
    Protocol,
    WebNLGSplit,
    load_release,
    report,
    split_release,
)
from gmoe.datasets.webnlg.xml import (
    Triple,
    WebNLGEntry,
)
from gmoe.files import remove_stale

Root = str | os.PathLike[str]


class WebNLGDataset(CollatedDataset):
    r"""The graphs of WebNLG, to be classified by category.

    A node is an entity or a literal, and a triple is an edge from its
    subject to its object, followed by its inverse; see
    :func:`triples_to_graph`. The features of a node are those of its text,
    its kind (one of :class:`NodeType`, one-hot), and whether it is the
    root. Those of an edge are those of its property, and its direction (one
    of two, one-hot). :class:`~gmoe.transforms.TwoHop` gives hop-2 edges
    with the features of both.

    The dataset holds the training, the development and the 3,097 test
    entries; a protocol is a choice of them, see :meth:`get_idx_split`.

    Args:
        root (str, optional): As in :func:`webnlg_split`.
            (default: :obj:`"data/webnlg"`)
        protocol (str, optional): The protocol of :meth:`get_idx_split`
            where none is given. (default: :obj:`"clean"`)
        features (str, optional): :obj:`"hashed"` for hashed words and
            n-grams of characters, which need nothing, or :obj:`"encoder"`
            for the embeddings of a text encoder of Hugging Face, computed
            once and kept on disk. (default: :obj:`"hashed"`)
        dim (int, optional): The number of hashed features of a text.
            (default: :obj:`256`)
        ngrams (Tuple[int, int], optional): The shortest and the longest
            n-grams. (default: :obj:`(3, 5)`)
        encoder (str, optional): The encoder's name on the hub, or its
            folder. (default: :obj:`None`)
        entity_text (bool, optional): If set to :obj:`False`, the text of
            entities is hidden, and only their kind is left; see
            :class:`~gmoe.transforms.MaskEntities` to hide that of random
            ones while training. (default: :obj:`True`)
        relation_features (bool, optional): If set to :obj:`True`, a node
            also has the mean features of the properties it is the subject
            of, and of those it is the object of. (default: :obj:`False`)
        codes (bool, optional): If set to :obj:`True`, graphs hold integers
            instead of features, for a model that looks them up in
            :attr:`node_table` and :attr:`property_table`. Batches are a
            hundred times smaller then. (default: :obj:`False`)
        text (bool, optional): Whether graphs hold their texts.
            (default: :obj:`True`)
        transform (callable, optional): Transforms each graph on access.
            (default: :obj:`None`)
        cache_dir (str, optional): Where features are kept; that of the
            environment variable :obj:`GMOE_CACHE_DIR`, then
            :obj:`"$XDG_CACHE_HOME/gmoe"` or :obj:`"~/.cache/gmoe"` if not
            given. (default: :obj:`None`)
        download (bool, optional): As in :func:`webnlg_split`.
            (default: :obj:`True`)
        url (str, optional): As in :func:`webnlg_split`.
            (default: :obj:`None`)
        verify (bool, optional): As in :func:`webnlg_split`.
            (default: :obj:`True`)
        strict (bool, optional): As in :func:`webnlg_split`.
            (default: :obj:`True`)
        log (bool, optional): As in :func:`webnlg_split`.
            (default: :obj:`True`)

    Shapes:
        - **graph:** :obj:`x` :math:`(|V|, D + 7)`, :obj:`edge_index`
          :math:`(2, |E|)`, :obj:`edge_attr` :math:`(|E|, D + 2)`, :obj:`y`
          :math:`(1)`, :obj:`graph_id` :math:`(1)`, :obj:`node_type` and
          :obj:`root_mask` :math:`(|V|)`, the lists :obj:`node_text` and
          :obj:`edge_text`
        - **graph with codes:** :obj:`x` :math:`(|V|, 3)` with the text's
          code, the kind, and whether it is the root, :obj:`edge_attr`
          :math:`(|E|, 2)` with the property's code, and 0 from subject to
          object, 1 back

    Raises:
        ValueError: If an argument is out of range.
        ImportError: If the encoder needs a package that is not installed.
        FileNotFoundError: As :func:`webnlg_split` does.
        RuntimeError: As :func:`webnlg_split` does.
        CorruptDatasetError: As :func:`webnlg_split` does.
    """

    categories = CATEGORIES
    task_type = 'multiclass classification'
    eval_metric = 'weighted_f1'
    num_tasks = 1

    def __init__(
        self,
        root: Root = 'data/webnlg',
        protocol: Protocol = 'clean',
        features: Features = 'hashed',
        dim: int = 256,
        ngrams: tuple[int, int] = (3, 5),
        encoder: str | None = None,
        entity_text: bool = True,
        relation_features: bool = False,
        codes: bool = False,
        text: bool = True,
        transform: Callable[[Any], Any] | None = None,
        cache_dir: Root | None = None,
        download: bool = True,
        url: str | None = None,
        verify: bool = True,
        strict: bool = True,
        log: bool = True,
    ) -> None:
        if codes and relation_features:
            raise ValueError(
                "'relation_features' needs to be False if 'codes' is True "
                '(got True)'
            )
        self.text_features = self.make_text_features(
            features, dim, ngrams, encoder, cache_dir
        )
        self.protocol = protocol
        self.entity_text = entity_text
        self.relation_features = relation_features
        self.codes = codes
        super().__init__(str(Path(root).expanduser()), transform, log=log)

        if given_cache_dir(cache_dir) is None:
            remove_stale(Path(self.root))
        release = load_release(Path(root), download, url, verify, strict, log)
        self.splits: dict[str, WebNLGSplit] = {
            name: split_release(release, name) for name in PROTOCOLS
        }
        split = self.split(protocol)
        if log:
            print(report(split.left_out))
        whole = self.splits['published']
        self.entries = whole.train + whole.dev + whole.test
        graphs = [triples_to_graph(entry.triples) for entry in self.entries]
        self._nodes, self._properties = make_tables(
            graphs, self.text_features.table
        )
        self._data, self.slices = self._collate(graphs, text)

    @staticmethod
    def make_text_features(
        features: Features = 'hashed',
        dim: int = 256,
        ngrams: tuple[int, int] = (3, 5),
        encoder: str | None = None,
        cache_dir: Root | None = None,
    ) -> TextFeatures:
        """Returns how texts become features; the arguments are those of the
        dataset.
        """
        cache = given_cache_dir(cache_dir) or default_cache_dir()
        return TextFeatures(
            features, dim, (ngrams[0], ngrams[1]), encoder, cache / 'webnlg'
        )

    @property
    def raw_file_names(self) -> list[str]:
        return []  # The release may be an archive.

    @property
    def processed_file_names(self) -> list[str]:
        return []

    @property
    def num_classes(self) -> int:
        """The number of categories."""
        return len(CATEGORIES)

    @property
    def num_text_features(self) -> int:
        """How many of the features of a node are those of its text."""
        return self._nodes.rows.size(1)

    @property
    def node_table(self) -> Tensor:
        """The features of the text of a node by code, all zero for 0."""
        return self._nodes.rows

    @property
    def property_table(self) -> Tensor:
        """The features of a property by code."""
        return self._properties.rows

    def get(self, idx: int) -> Data:
        data = super().get(idx)
        data.node_type = data.x[:, 1]
        data.root_mask = data.x[:, 2] == 1
        return data if self.codes else self._add_features(data)

    def take(self, index: Tensor | Sequence[int]) -> Batch:
        """Returns some graphs of this (part of a) dataset as a batch of
        codes, a hundred times faster than from the graphs one by one.

        Args:
            index (torch.Tensor): The positions of the graphs.

        Raises:
            ValueError: If the dataset holds no codes.
        """
        if not self.codes:
            raise ValueError("'codes' needs to be True for this (got False)")
        batch = super().take(index)
        batch.node_type = batch.x[:, 1]
        batch.root_mask = batch.x[:, 2] == 1
        return batch

    def entry(self, idx: int) -> WebNLGEntry:
        """Returns the entry of a graph of this (part of a) dataset.

        Args:
            idx (int): The position of the graph.
        """
        return self.entries[int(self._data.graph_id[self.indices()[idx]])]

    def split(self, protocol: Protocol | None = None) -> WebNLGSplit:
        """Returns the entries of a protocol.

        Raises:
            ValueError: If there is no such protocol.
        """
        protocol = protocol or self.protocol
        if protocol not in self.splits:
            raise ValueError(
                f"'protocol' needs to be one of {PROTOCOLS} (got {protocol!r})"
            )
        return self.splits[protocol]

    def get_idx_split(
        self,
        protocol: Protocol | None = None,
        holdout: int | None = None,
    ) -> dict[str, Tensor]:
        """Returns the graphs of the parts `train`, `valid` and `test`, by
        their positions in this (part of a) dataset.

        The part `valid` is the one that models are chosen on: the
        development entries under :obj:`"clean"`, and the test entries under
        :obj:`"published"`, as the name says.

        Args:
            protocol (str, optional): The protocol; that of the dataset if
                not given. (default: :obj:`None`)
            holdout (int, optional): One of :obj:`NUM_HOLDOUTS` parts of the
                root entities, to choose a model for entities that it has not
                seen: `train` are the training entries that none of them
                occurs in, and `valid` the training and development entries
                about one of them with at most a quarter of their nodes in
                `train`. There is no `test` then: all choices are to be made
                without it. (default: :obj:`None`)

        Raises:
            ValueError: If there is no such protocol or part.
        """
        split = self.split(protocol)
        if holdout is not None:
            train, valid = held_out_split(split.train, split.dev, holdout)
            parts = {
                'train': torch.tensor(train),
                'valid': torch.tensor(valid),
            }
            return self._within(parts, len(self.entries))
        start = len(split.train) + len(split.dev)
        test = self._positions(split.test)
        dev = torch.arange(len(split.train), start)
        parts = {
            'train': torch.arange(len(split.train)),
            'valid': dev if split.selection == 'dev' else test,
            'test': test,
        }
        return self._within(parts, len(self.entries))

    def get_idx_subsets(
        self, protocol: Protocol | None = None
    ) -> dict[str, Tensor]:
        """Returns the test graphs by what is new in them.

        The kinds are the official ones: :obj:`"seen"`,
        :obj:`"unseen_entities"`, and :obj:`"unseen_category"`. The last are
        of a category that is officially not in training, but has the same
        name as one that is.

        Args:
            protocol (str, optional): The protocol; that of the dataset if
                not given. (default: :obj:`None`)

        Raises:
            ValueError: If there is no such protocol.
        """
        split = self.split(protocol)
        index = self._positions(split.test)
        parts = {
            kind: index[[i for i, k in enumerate(split.kind) if k == kind]]
            for kind in KINDS
        }
        return self._within(parts, len(self.entries))

    def from_triples(self, triples: Iterable[str | Triple]) -> Data:
        """Returns the graph of other triples, as those of the dataset are.

        Args:
            triples (List[str]): The triples, as :func:`parse_triple` takes
                them or gives them.

        Raises:
            ValueError: If a triple is malformed, or there is none, or the
                dataset holds codes.
        """
        if self.codes:
            raise ValueError(
                "'codes' needs to be False for new texts (got True)"
            )
        graph = triples_to_graph(
            triples if isinstance(triples, str) else list(triples)
        )
        nodes, properties = make_tables([graph], self.text_features.make)
        data = Data(
            **code_tensors([graph], nodes, properties, self.entity_text)
        )
        data.node_text, data.edge_text = graph.node_text, edge_text(graph)
        data.node_type, data.root_mask = data.x[:, 1], data.x[:, 2] == 1
        return add_features(
            data, nodes.rows, properties.rows, self.relation_features
        )

    def _add_features(self, data: Data) -> Data:
        return add_features(
            data, self.node_table, self.property_table, self.relation_features
        )

    def _positions(self, test: Sequence[WebNLGEntry]) -> Tensor:
        whole = self.splits['published']
        start = len(whole.train) + len(whole.dev)
        position = {
            (entry.file, entry.eid): start + i
            for i, entry in enumerate(whole.test)
        }
        return torch.tensor(
            [position[entry.file, entry.eid] for entry in test],
            dtype=torch.long,
        )

    def _collate(
        self, graphs: Sequence[TripleGraph], text: bool
    ) -> tuple[Data, dict[str, Tensor]]:
        label = {category: i for i, category in enumerate(CATEGORIES)}
        data = Data(
            **code_tensors(
                graphs, self._nodes, self._properties, self.entity_text
            ),
            y=torch.tensor([label[entry.category] for entry in self.entries]),
            graph_id=torch.arange(len(graphs)),
        )
        single = torch.arange(len(graphs) + 1)
        edges = cumsum(torch.tensor([2 * len(g.source) for g in graphs]))
        slices = {
            'x': cumsum(torch.tensor([len(g.node_text) for g in graphs])),
            'edge_index': edges,
            'edge_attr': edges,
            'y': single,
            'graph_id': single,
        }
        if text:
            data.node_text = [graph.node_text for graph in graphs]
            data.edge_text = [edge_text(graph) for graph in graphs]
            slices['node_text'] = slices['edge_text'] = single
        return data, slices
