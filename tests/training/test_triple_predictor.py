"""Networks of triples with categories of their own."""

import pandas as pd
import pytest
import torch
from lightning.pytorch import Trainer

from gmoe.datasets import TextFeatures, TripleDataset
from gmoe.training import (
    EpochSeed,
    GraphDataModule,
    PredictionWriter,
    TriplePredictor,
)

SMALL = {
    'hidden_channels': 8,
    'edge_channels': 4,
    'num_experts': 4,
    'num_experts_1hop': 2,
    'top_k': 2,
}


class OwnTriples(GraphDataModule):
    """Graphs of triples with categories of their own."""

    name = 'own'
    num_tasks, num_classes = 1, 2
    task_type = TripleDataset.task_type
    eval_metric = TripleDataset.eval_metric
    features_name = 'own'
    text_channels = 16

    def load(self):
        graphs = [['A | sings | B'], ['C | acts in | D']] * 8
        features = TextFeatures(dim=16)
        return TripleDataset(graphs, features, labels=['song', 'film'] * 8)

    def setup(self, stage=None):
        self.dataset = self.load()
        index = torch.arange(16)
        self.splits = {'train': index, 'valid': index, 'test': index}


@pytest.mark.parametrize('out_channels', [2, 16])
def test_own_categories(tmp_path, out_channels):
    data = OwnTriples(batch_size=8)
    model = TriplePredictor(
        'own',
        features='own',
        text_channels=16,
        out_channels=out_channels,
        learning_rate=0.01,
        **SMALL,
    )
    path = tmp_path / 'out.csv'
    trainer = Trainer(
        accelerator='cpu',
        max_epochs=15,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[EpochSeed(0), PredictionWriter(path)],
    )
    if out_channels == 16:
        with pytest.raises(ValueError, match="'out_channels' must be.*2, got"):
            trainer.fit(model, data)
        return
    trainer.fit(model, data)
    trainer.predict(model, data)
    table = pd.read_csv(path)
    assert list(table.columns[-2:]) == ['film', 'song']
    assert table['category'].tolist() == ['song', 'film'] * 8
    assert (table['predicted'] == table['category']).all()


@pytest.mark.parametrize(
    ('argument', 'value'),
    [
        ('task_type', 'regression'),
        ('metric', 'auc'),
        ('label_smoothing', 1.0),
        ('schedule', 'step'),
        ('learning_rate', -1.0),
    ],
)
def test_refused_arguments(argument, value):
    with pytest.raises(ValueError, match=f"'{argument}' must be.* got"):
        TriplePredictor(text_channels=16, **{argument: value})
