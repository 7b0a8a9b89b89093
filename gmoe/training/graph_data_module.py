"""Splits, batches, and what is done to each batch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from lightning.pytorch.trainer.states import TrainerStatus
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler
from torch_geometric import loader
from torch_geometric.data import Data, InMemoryDataset

from gmoe.common.arguments import check_choice, check_integer, check_share
from gmoe.datasets.collated import CollatedDataset
from gmoe.ops.two_hop import MODES, Mode
from gmoe.training.batches import Batches, as_it_is
from gmoe.training.task import MULTICLASS
from gmoe.training.task_data_module import TaskDataModule
from gmoe.transforms import DropNodes, TwoHop, check_two_hop

SPLITS = ('train', 'valid', 'test')


class GraphDataModule(TaskDataModule):
    """Batches of a dataset with an official split.

    Random node drop (in training) and hop-2 edges are made in this order, so
    that hop-2 edges are those of the graph after the drop. Shuffling depends
    on the seed and the epoch alone, so that a resumed run sees the batches of
    an uninterrupted one.

    Args:
        batch_size: Graphs per batch, of each process.
        eval_batch_size: Graphs per batch in evaluation. (default:
            :obj:`batch_size`)
        num_workers: Number of loader processes.
        drop_nodes: The probability with which a node is dropped in training.
            The paper does not mention it; its released code uses 0.2, for
            the baselines too.
        two_hop: Which hop-2 edges are made: :obj:`"exact"`, as the paper
            defines them, :obj:`"released"`, as its released code builds
            them (see :class:`~gmoe.transforms.TwoHop`), or :obj:`None`.
        keep_two_hop: Whether hop-2 edges are made once and kept, except
            where nodes are dropped: 64 bytes for each of a molecule's.
        keep_on_gpu: Whether a running trainer that has a GPU keeps the
            graphs there, unless there are loader processes: some 6 KB for
            a molecule.
        test_curve: Whether each validation also scores the test split, for
            learning curves. Never used to select.
        predict_split: The split that is predicted: :obj:`"train"`,
            :obj:`"valid"`, :obj:`"test"` or :obj:`"all"`.

    Raises:
        ValueError: If an argument is out of range.
    """

    #: Set by subclasses, too: what networks need to know of the features.
    node_dims: Sequence[int]
    edge_dims: Sequence[int]
    #: The number of features of a graph, ``graph_attr``, if it has some; left
    #: out where networks take none.
    graph_dims: int | None

    def __init__(
        self,
        batch_size: int = 32,
        eval_batch_size: int | None = None,
        num_workers: int = 0,
        drop_nodes: float = 0.0,
        two_hop: Mode | None = 'exact',
        keep_two_hop: bool = True,
        keep_on_gpu: bool = True,
        test_curve: bool = False,
        predict_split: str = 'test',
    ) -> None:
        super().__init__()
        if eval_batch_size is None:
            eval_batch_size = batch_size
        check_integer(
            1, batch_size=batch_size, eval_batch_size=eval_batch_size
        )
        check_integer(0, num_workers=num_workers)
        check_share(drop_nodes=drop_nodes)
        check_choice('two_hop', two_hop, (*MODES, None))
        check_choice('predict_split', predict_split, (*SPLITS, 'all'))
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.num_workers = num_workers
        self.test_curve = test_curve
        self.predict_split = predict_split
        self.drop_nodes = DropNodes(drop_nodes)
        self.two_hop = None if two_hop is None else TwoHop(two_hop)
        self.keep_two_hop = keep_two_hop
        self.keep_on_gpu = keep_on_gpu
        self.dataset: InMemoryDataset | None = None
        self.splits: dict[str, Tensor] = {}

    def train_targets(self) -> Tensor:
        y = self._train_values('y')
        assert y is not None
        return y if self.task_type == MULTICLASS else y.view(len(y), -1)

    def train_graph_attr(self) -> Tensor | None:
        """The features of the training graphs, raw, of shape
        ``[num_graphs, graph_dims]``, if graphs have some."""
        return self._train_values('graph_attr')

    def train_weights(self) -> Tensor | None:
        weight = self._train_values('weight')
        return None if weight is None else weight.view(-1)

    def _train_values(self, key: str) -> Tensor | None:
        assert self.dataset is not None
        # All graphs of the dataset: a part keeps the tensors of the whole.
        values = self.dataset._data.get(key)
        if values is None:
            return None
        index = torch.as_tensor(self.dataset.indices())[self.splits['train']]
        return values[index]

    def load(self) -> InMemoryDataset:
        """Loads the dataset."""
        raise NotImplementedError

    def prepare_data(self) -> None:
        self.load()

    def setup(self, stage: str | None = None) -> None:
        if self.dataset is None:
            self.dataset = self.load()
            self.splits = self.dataset.get_idx_split()

    def train_dataloader(self) -> DataLoader:
        dataset = self._split('train')
        # Lightning sets its epoch, and leaves it alone in distributed runs.
        trainer = self.trainer
        sampler: DistributedSampler[Data] = DistributedSampler(
            dataset,
            num_replicas=1 if trainer is None else trainer.world_size,
            rank=0 if trainer is None else trainer.global_rank,
            shuffle=True,
            seed=shuffle_seed(),
        )
        go_on(sampler, trainer)
        return self._loader(dataset, self.batch_size, sampler)

    def val_dataloader(self) -> list[DataLoader]:
        loaders = [self._eval_loader('valid')]
        if self.test_curve:
            loaders.append(self._eval_loader('test'))
        return loaders

    def test_dataloader(self) -> DataLoader:
        return self._eval_loader('test')

    def predict_dataloader(self) -> DataLoader:
        return self._eval_loader(self.predict_split)

    def on_before_batch_transfer(
        self, batch: Data, dataloader_idx: int
    ) -> Data:
        trainer = self.trainer
        is_moved = (
            trainer is not None and trainer.strategy.root_device.type != 'cpu'
        )
        # On the CPU the network looks; on a GPU it would have to wait.
        if is_moved and batch.edge_index.device.type == 'cpu':
            check_two_hop(batch)
        return batch

    def on_after_batch_transfer(
        self, batch: Data, dataloader_idx: int
    ) -> Data:
        is_training = self.trainer is not None and self.trainer.training
        if is_training and self.drop_nodes.ratio > 0:
            batch = self.drop_nodes(batch)
        if self.two_hop is not None and 'edge_index_2hop' not in batch:
            batch = self.two_hop(batch)
        return batch

    def _split(self, split: str) -> InMemoryDataset:
        assert self.dataset is not None
        if split == 'all':
            return self.dataset
        return self.dataset[self.splits[split]]

    def _eval_loader(self, split: str) -> DataLoader:
        return self._loader(self._split(split), self.eval_batch_size)

    def _loader(
        self,
        dataset: InMemoryDataset,
        batch_size: int,
        sampler: DistributedSampler[Data] | None = None,
    ) -> DataLoader:
        # By keyword: Lightning rebuilds the loader with its own sampler.
        arguments: dict[str, Any] = {
            'batch_size': batch_size,
            'sampler': sampler,
            'num_workers': self.num_workers,
            # A loader draws a number when it starts, which a resumed run does
            # at another time: not from where the noise of an epoch is from.
            'generator': torch.Generator(),
        }
        if isinstance(dataset, CollatedDataset) and dataset.transform is None:
            keeps = self._keeps_two_hop(is_training=sampler is not None)
            batches = Batches(
                dataset, self.two_hop if keeps else None, self._device()
            )
            return DataLoader(batches, collate_fn=as_it_is, **arguments)
        return loader.DataLoader(dataset, **arguments)

    def _device(self) -> torch.device:
        trainer = self.trainer
        # Loader processes are forked, which CUDA does not survive.
        if self.keep_on_gpu and self.num_workers == 0 and trainer is not None:
            is_running = trainer.state.status == TrainerStatus.RUNNING
            device = trainer.strategy.root_device
            if is_running and device.type == 'cuda':
                return device
        return torch.device('cpu')

    def _keeps_two_hop(self, is_training: bool) -> bool:
        # Hop-2 edges are those of the graph after the drop of nodes.
        is_dropped = is_training and self.drop_nodes.ratio > 0
        return self.keep_two_hop and not is_dropped


def shuffle_seed() -> int:
    """The seed of the order in which training sees graphs or nodes: that of
    the run, mixed."""
    seed = int(os.environ.get('PL_GLOBAL_SEED', 0))
    # The sampler adds the epoch to its seed: with 0, 1, 2, ... as they are,
    # runs would see the same orders, an epoch later.
    return int(np.random.SeedSequence(seed).generate_state(1)[0])


def go_on(sampler: Any, trainer: Any) -> None:
    """Sets the epoch of a sampler to that at which a run is.

    Args:
        sampler: The sampler.
        trainer: The trainer, if there is one.
    """
    if trainer is not None:
        # Too late for the loader processes of a run that is resumed.
        progress = trainer.fit_loop.epoch_progress.current
        sampler.set_epoch(progress.processed)
