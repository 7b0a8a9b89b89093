"""WebNLG: small knowledge graphs with a category, as graphs and as text."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from gmoe.common.arguments import check_choice
from gmoe.common.files import remove_stale
from gmoe.common.triple import Triple
from gmoe.datasets.cache import given_cache_dir
from gmoe.datasets.triples.codes import (
    TripleFeatures,
    code_tensors,
    edge_text,
    make_tables,
    mark_nodes,
)
from gmoe.datasets.triples.dataset import CodedDataset
from gmoe.datasets.triples.features import Features, TextFeatures
from gmoe.datasets.triples.graph import triples_to_graph
from gmoe.datasets.webnlg.holdout import held_out_split
from gmoe.datasets.webnlg.protocol import (
    CATEGORIES,
    PROTOCOLS,
    Protocol,
    WebNLGSplit,
    load_release,
    report,
    split_release,
)
from gmoe.datasets.webnlg.release import INSTANCE_TYPES
from gmoe.datasets.webnlg.xml import WebNLGEntry

_TEXT_FEATURES = {'dim', 'ngrams', 'encoder', 'cache_dir'}


class WebNLGDataset(CodedDataset):
    r"""The graphs of WebNLG, to be classified by category.

    A node is an entity or a literal, and a triple is an edge from its
    subject to its object, followed by its inverse; see
    :func:`triples_to_graph`. Their features are those of their texts and a
    few more, see :class:`TripleFeatures`. :class:`~gmoe.transforms.TwoHop`
    gives hop-2 edges with the features of both of their edges.

    The dataset holds the training, the development and the 3,097 test
    entries; a protocol is a choice of them, see :meth:`get_idx_split`.

    Args:
        root: As in :func:`webnlg_split`.
        protocol: The protocol of :meth:`get_idx_split` where none is given.
        features: How texts become features. ``"hashed"`` and ``"encoder"``
            stand for the :class:`TextFeatures` of this kind with ``dim``,
            ``ngrams``, ``encoder`` and ``cache_dir`` of ``kwargs``.
        codes: Whether graphs hold integers instead of features, for a model
            that looks them up in :attr:`node_table` and
            :attr:`property_table`. Batches are a hundred times smaller then.
        text: Whether graphs hold their texts.
        entity_text: If set to :obj:`False`, the text of entities is hidden,
            and only their kind is left; see
            :class:`~gmoe.transforms.MaskEntities` to hide that of random
            ones while training.
        relation_features: As in :class:`TripleFeatures`.
        transform: Transforms each graph on access.
        log: As in :func:`webnlg_split`.
        **kwargs: Arguments of :class:`TextFeatures`, and ``download``,
            ``url``, ``verify`` and ``strict`` of :func:`webnlg_split`.

    Shapes:
        - **graph:** ``x`` :math:`(|V|, D + 7)`, ``edge_index``
          :math:`(2, |E|)`, ``edge_attr`` :math:`(|E|, D + 2)`, ``y``
          :math:`(1)`, ``graph_id`` :math:`(1)`, ``node_type`` and
          ``root_mask`` :math:`(|V|)`, the lists ``node_text`` and
          ``edge_text``
        - **graph with codes:** ``x`` :math:`(|V|, 3)` with the text's code,
          the kind, and whether it is the root, ``edge_attr``
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
    #: The name that earlier versions had for :class:`TextFeatures`.
    make_text_features = TextFeatures

    def __init__(
        self,
        root: str | os.PathLike[str] = 'data/webnlg',
        protocol: Protocol = 'clean',
        features: TextFeatures | Features = 'hashed',
        *,
        codes: bool = False,
        text: bool = True,
        entity_text: bool = True,
        relation_features: bool = False,
        transform: Callable[[Any], Any] | None = None,
        log: bool = True,
        **kwargs: Any,
    ) -> None:
        if codes and relation_features:
            raise ValueError(
                "'relation_features' must be False if 'codes' is True, got "
                'True'
            )
        given = {k: kwargs.pop(k) for k in _TEXT_FEATURES & kwargs.keys()}
        self.text_features = (
            dataclasses.replace(features, **given)
            if isinstance(features, TextFeatures)
            else TextFeatures(features, **given)
        )
        self.protocol = protocol
        self.entity_text = entity_text
        self.relation_features = relation_features
        super().__init__(str(Path(root).expanduser()), transform, log=log)

        if given_cache_dir(self.text_features.cache_dir) is None:
            remove_stale(Path(self.root))
        release = load_release(Path(root), log=log, **kwargs)
        self.splits: dict[str, WebNLGSplit] = {
            name: split_release(release, name) for name in PROTOCOLS
        }
        split = self.split(protocol)
        if log:
            print(report(split.left_out))
        whole = self.splits['published']
        self.entries = whole.train + whole.dev + whole.test
        graphs = [triples_to_graph(entry.triples) for entry in self.entries]
        self._store(
            graphs,
            make_tables(graphs, self.text_features.table),
            [entry.category for entry in self.entries],
            entity_text,
            text,
        )
        if not codes:
            self.features = TripleFeatures(
                self.node_table, self.property_table, relation_features
            )

    @property
    def num_text_features(self) -> int:
        """The number of a node's features that describe its text."""
        return self.node_table.size(1)

    def entry(self, idx: int) -> WebNLGEntry:
        """Returns the entry of a graph of this (part of a) dataset.

        Args:
            idx: The position of the graph.
        """
        return self.entries[self._graph_id(idx)]

    def split(self, protocol: Protocol | None = None) -> WebNLGSplit:
        """Returns the entries of a protocol.

        Raises:
            ValueError: If there is no such protocol.
        """
        protocol = protocol or self.protocol
        check_choice('protocol', protocol, PROTOCOLS)
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
            protocol: The protocol; that of the dataset if not given.
            holdout: One of :obj:`NUM_HOLDOUTS` parts of the root entities, to
                choose a model for entities that it has not seen: `train` are
                the training entries that none of them occurs in, and `valid`
                the training and development entries about one of them with at
                most a quarter of their nodes in `train`. There is no `test`
                then: all choices are to be made without it.

        Raises:
            ValueError: If there is no such protocol or part.
        """
        split = self.split(protocol)
        if holdout is not None:
            held_out = held_out_split(split.train, split.dev, holdout)
            parts = dict(zip(('train', 'valid'), map(torch.tensor, held_out)))
            return self._within(parts, len(self.entries))
        test = self._positions(split.test)
        train = torch.arange(len(split.train))
        dev = torch.arange(len(split.dev)) + len(train)
        valid = dev if split.selection == 'dev' else test
        parts = {'train': train, 'valid': valid, 'test': test}
        return self._within(parts, len(self.entries))

    def get_idx_subsets(
        self, protocol: Protocol | None = None
    ) -> dict[str, Tensor]:
        """Returns the positions of the test graphs, by the kind of novelty.

        The kinds are the official ones: :obj:`"seen"`,
        :obj:`"unseen_entities"`, and :obj:`"unseen_category"`. The last are
        of a category that is officially not in training, but has the same
        name as one that is.

        Args:
            protocol: The protocol; that of the dataset if not given.

        Raises:
            ValueError: If there is no such protocol.
        """
        split = self.split(protocol)
        index = self._positions(split.test)
        parts = {
            kind: index[[i for i, k in enumerate(split.kind) if k == kind]]
            for kind in INSTANCE_TYPES.values()
        }
        return self._within(parts, len(self.entries))

    def from_triples(self, triples: Iterable[str | Triple]) -> Data:
        """Returns the graph of other triples, as those of the dataset are.

        Args:
            triples: The triples, each as :func:`parse_triple` takes or gives
                it.

        Raises:
            ValueError: If a triple is malformed, or there is none, or the
                dataset holds codes.
        """
        if self.features is None:
            raise ValueError("'codes' must be False for new texts, got True")
        graph = triples_to_graph(
            triples if isinstance(triples, str) else list(triples)
        )
        nodes, properties = make_tables([graph], self.text_features.make)
        data = mark_nodes(
            Data(
                **code_tensors([graph], nodes, properties, self.entity_text),
                node_text=graph.node_text,
                edge_text=edge_text(graph),
            )
        )
        look_up = TripleFeatures(
            nodes.rows, properties.rows, self.relation_features
        )
        return look_up(data)

    def _positions(self, test: Sequence[WebNLGEntry]) -> Tensor:
        position = {(e.file, e.eid): i for i, e in enumerate(self.entries)}
        return torch.tensor([position[e.file, e.eid] for e in test]).long()
