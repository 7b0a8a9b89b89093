"""The LightningModule of graphs of triples."""

from __future__ import annotations

from typing import Any

from gmoe.common.arguments import check_choice
from gmoe.nn import TripleGNN
from gmoe.training.graph_module import GraphModule
from gmoe.training.metrics import CATEGORY_SCORES
from gmoe.training.task import MULTICLASS


class TriplePredictor(GraphModule):
    """Trains a :class:`~gmoe.nn.TripleGNN` to tell the category of a graph of
    triples; see :class:`GraphModule`.

    The features of texts are those of the data at hand, and not saved.

    Args:
        dataset: The dataset's name.
        task_type: :obj:`"multiclass classification"`.
        metric: :obj:`"weighted_f1"`, :obj:`"accuracy"` or
            :obj:`"macro_f1"`.
        learning_rate: Learning rate of Adam.
        weight_decay: Weight decay, as that of AdamW.
        balance_weight: The factor of the balance losses.
        label_smoothing: The share of the label that is spread over all
            categories.
        schedule: :obj:`"constant"` or :obj:`"linear"`, from the learning
            rate down to zero.
        features: What the features of texts are, as the data says. A network
            refuses data with other ones.
        **kwargs: Arguments of :class:`~gmoe.nn.TripleGNN`.

    Raises:
        ValueError: If an argument is out of range, or the data has other
            features.
    """

    gnn: TripleGNN

    def __init__(
        self,
        dataset: str = 'webnlg',
        task_type: str = MULTICLASS,
        metric: str = 'weighted_f1',
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
        balance_weight: float = 0.1,
        label_smoothing: float = 0.0,
        schedule: str = 'linear',
        features: str | None = None,
        **kwargs: Any,
    ) -> None:
        check_choice('task_type', task_type, (MULTICLASS,))
        check_choice('metric', metric, CATEGORY_SCORES)
        super().__init__(
            TripleGNN(**kwargs),
            dataset,
            task_type,
            metric,
            learning_rate,
            weight_decay,
            balance_weight,
            label_smoothing,
            schedule,
            decoupled=True,
        )
        self.features = features
        self.save_hyperparameters()

    def setup(self, stage: str) -> None:
        super().setup(stage)
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if self.features not in (None, data.features_name):
            raise ValueError(
                f"'features' of the data must be {self.features!r}, as the "
                f'network expects, got {data.features_name!r}'
            )
        categories, out = data.dataset.categories, self.gnn.out_channels
        if len(categories) != out:
            raise ValueError(
                f"'out_channels' must be the number of the data's categories, "
                f'{len(categories)}, got {out}'
            )
        tables = data.dataset.node_table, data.dataset.property_table
        self.gnn.set_tables(*tables)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        trained = checkpoint['hyper_parameters'].get('features')
        if None not in (trained, self.features) and trained != self.features:
            raise ValueError(
                f"'features' of the data must be {trained!r}, as the network "
                f'was trained, got {self.features!r}'
            )
