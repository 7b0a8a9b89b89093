"""What a network and its training need to know of any data."""

from __future__ import annotations

from lightning.pytorch import LightningDataModule
from torch import Tensor

from gmoe.training.metrics import METRIC_MODES
from gmoe.training.task import MULTICLASS


class TaskDataModule(LightningDataModule):
    """Data with targets: of graphs, or of the nodes of one."""

    #: What is predicted: ``'graphs'``, ``'nodes'`` or ``'links'``.
    kind: str = 'graphs'
    #: Set by subclasses: what the model and the evaluator need to know. As of
    #: a dataset, ``num_tasks`` is the number of targets of a graph, and
    #: ``num_classes`` that of the values that such a target has.
    name: str
    num_tasks: int
    num_classes: int | None = None
    task_type: str
    eval_metric: str

    def __str__(self) -> str:
        # Lightning's would make all loaders for a line about them, and a
        # command asks for it at each setting that the data do not have.
        return f'{type(self).__name__}()'

    @property
    def num_outputs(self) -> int:
        """The number of outputs of a network: one for each task, or for each
        class where a graph has one of several."""
        if self.task_type == MULTICLASS and self.num_classes is not None:
            return self.num_classes
        return self.num_tasks

    @property
    def monitor(self) -> str:
        """The name of the logged score that selects a checkpoint."""
        return f'val/{self.eval_metric}'

    @property
    def monitor_mode(self) -> str:
        """Whether more (``"max"``) or less (``"min"``) of it is better."""
        return METRIC_MODES[self.eval_metric]

    def train_targets(self) -> Tensor:
        """The targets for training, after :meth:`setup`: of shape
        ``[num_graphs, num_tasks]``, NaN where there is none; for categories,
        one integer per graph, -1 where it is not known.
        """
        raise NotImplementedError

    def train_weights(self) -> Tensor | None:
        """The weights of the training graphs, of shape ``[num_graphs]``, if
        graphs have some."""
        return None
