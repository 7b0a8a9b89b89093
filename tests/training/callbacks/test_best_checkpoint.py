import re

import pytest
import torch
from lightning.pytorch import Callback, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint

from gmoe.training import BestCheckpoint, GraphPredictor
from tests.training import tiny


class Scripted(GraphPredictor):
    """Logs what it is told as validation score and loss of each epoch."""

    script = ()

    def on_validation_epoch_end(self):
        score, loss = self.script[self.current_epoch]
        self.log_dict({'val/acc': score, 'val/loss': loss})


def fit_scripted(folder, script, max_epochs):
    """Trains with what is to be logged for each epoch, or goes on."""
    data = tiny.HopMixtureDataModule
    model = Scripted(
        data.name,
        metric='acc',
        node_dims=data.node_dims,
        edge_dims=data.edge_dims,
        **tiny.MODEL,
    )
    model.script = script
    last = folder / 'last.ckpt'
    trainer = tiny.make_trainer(folder, max_epochs)
    trainer.fit(
        model,
        tiny.make_data(num_graphs=20),
        ckpt_path=last if last.exists() else None,
        weights_only=True,
    )
    return trainer


NAN = float('nan')


@pytest.mark.parametrize(
    ('scores', 'losses', 'best', 'warning'),
    [
        ([0.2, 0.4, 0.3], [1, 2, 0], 1, None),
        ([NAN, NAN, NAN], [3, 1, 2], 1, "the lowest 'val/loss' decides"),
        ([NAN, NAN, NAN], [NAN, NAN, NAN], 2, 'the last epoch, .*not defined'),
        ([NAN, NAN, NAN], [NAN, 2, 3], 1, 'not defined either'),
        ([NAN, NAN, 0.5, 0.4], [3, 1, 2, 0], 2, "'val/loss' decides"),
        ([NAN, 0.2, NAN, 0.3], [0, 1, 2, 3], 3, "'val/loss' decides"),
        ([0.5, NAN, NAN], [3, 1, 0], 0, None),
    ],
)
@pytest.mark.parametrize('stop', [None, 1, 2])
@pytest.mark.filterwarnings('ignore:.*not defined')
def test_best_checkpoint(
    tmp_path, recwarn, scores, losses, best, warning, stop
):
    # Whether or not the run stops in between.
    for epochs in (stop, len(scores)):
        if epochs is None:
            continue
        fit_scripted(tmp_path, list(zip(scores, losses)), epochs)
    state = torch.load(tmp_path / 'best.ckpt', weights_only=True)
    assert state['epoch'] == best
    if stop is None and warning is not None:
        said = [str(w.message) for w in recwarn if 'decides' in str(w.message)]
        assert len(said) == 1
        assert re.search(f"'val/acc' is not defined.*{warning}", said[0])


@pytest.mark.parametrize(
    ('labels', 'metric', 'expected'),
    [
        ('one class in validation', 'rocauc', 'lowest'),
        ('none in validation', 'rocauc', 'last'),
        ('none in validation', 'acc', 'last'),
    ],
)
@pytest.mark.filterwarnings('ignore:.*not defined')
def test_best_checkpoint_without_a_score(tmp_path, labels, metric, expected):
    seed_everything(0)
    data = tiny.SomeLabels(labels)
    data.num_tasks = 1
    log = Losses()
    best = BestCheckpoint(
        tmp_path,
        filename='best',
        monitor=f'val/{metric}',
        mode='max',
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    trainer = tiny.make_trainer(
        max_epochs=5, callbacks=[log, best], enable_checkpointing=True
    )
    name = 'ogbg-molhiv' if metric == 'rocauc' else data.name
    # High enough for the loss to go down and up again.
    model = tiny.make_model(dataset=name, metric=metric, learning_rate=0.05)
    with pytest.warns(UserWarning, match=f"'val/{metric}' is not defined"):
        trainer.fit(model, data)
    epoch = torch.load(tmp_path / 'best.ckpt', weights_only=True)['epoch']
    if expected == 'last':
        assert epoch == 4
    else:
        assert epoch == log.values.index(min(log.values))
        assert epoch > 0


class Losses(Callback):
    """Keeps the validation loss of each epoch."""

    def __init__(self):
        self.values = []

    def on_validation_end(self, trainer, pl_module):
        self.values.append(float(trainer.callback_metrics['val/loss']))


def test_runs_of_lightnings_callback_go_on():
    arguments = {'monitor': 'val/acc', 'mode': 'max'}
    key = ModelCheckpoint(**arguments).state_key
    best = BestCheckpoint(**arguments)
    assert best.state_key == key
    state = ModelCheckpoint(**arguments).state_dict()
    best.load_state_dict({**state, 'best_model_score': torch.tensor(0.7)})
    assert best.best_model_score == torch.tensor(0.7)
