import re
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from lightning.pytorch import Callback, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint

from gmoe.training import (
    BestCheckpoint,
    EpochSeed,
    GraphPredictor,
    LastCheckpoint,
    PredictionWriter,
)
from gmoe.training import callbacks as module
from tests.training import tiny


class Draws(Callback):
    """Keeps a random number of each epoch, and disturbs the next ones."""

    def __init__(self):
        self.values = []

    def on_train_epoch_start(self, trainer, pl_module):
        self.values.append(float(torch.rand(())))
        torch.rand(torch.randint(9, ()))


def draws(seed, disturb=0):
    seed_everything(seed)
    torch.rand(disturb)
    keep = Draws()
    trainer = tiny.make_trainer(max_epochs=3, callbacks=[keep])
    trainer.fit(tiny.make_model(), tiny.make_data())
    return keep.values


def test_epoch_seed():
    values = draws(0)
    assert len(set(values)) == 3
    assert draws(0, disturb=5) == values
    assert not set(draws(1)) & set(values)


def test_epoch_seed_is_that_of_the_checkpoint():
    callback = EpochSeed()
    callback.load_state_dict(EpochSeed(7).state_dict())
    assert callback.seed == 7


class Epochs(Callback):
    """A clock that is one second on at each epoch, an early end, and after
    which epochs there was a new checkpoint."""

    def __init__(self, path, stop=None):
        self.path = path
        self.stop = stop
        self.now = 0.0
        self.saved = []

    def on_train_epoch_end(self, trainer, pl_module):
        self.now += 1.0
        trainer.should_stop = trainer.current_epoch == self.stop

    def on_train_epoch_start(self, trainer, pl_module):
        self.look()

    def on_fit_end(self, trainer, pl_module):
        self.look()

    def look(self):
        if self.path.exists():
            epoch = torch.load(self.path, weights_only=True)['epoch']
            if epoch not in self.saved:
                self.saved.append(epoch)


@pytest.mark.parametrize(
    ('min_seconds', 'stop', 'saved'),
    [
        (0.0, None, [0, 1, 2, 3, 4, 5]),
        (2.0, None, [1, 3, 5]),
        (2.5, None, [2, 5]),
        (4.0, None, [3, 5]),
        (100.0, None, [5]),
        (100.0, 2, [2]),
    ],
)
def test_seconds_between_checkpoints(
    tmp_path, monkeypatch, min_seconds, stop, saved
):
    epochs = Epochs(tmp_path / 'last.ckpt', stop)
    clock = SimpleNamespace(monotonic=lambda: epochs.now)
    monkeypatch.setattr(module, 'time', clock)
    last = LastCheckpoint(tmp_path, min_seconds)
    seed_everything(0)
    trainer = tiny.make_trainer(
        max_epochs=6, callbacks=[epochs, last], enable_checkpointing=True
    )
    trainer.fit(tiny.make_model(), tiny.make_data())
    assert epochs.saved == saved


def test_steps_end_with_a_checkpoint(tmp_path):
    trainer = tiny.make_trainer(
        max_epochs=-1,
        max_steps=12,  # Two epochs.
        callbacks=[LastCheckpoint(tmp_path, 100.0)],
        enable_checkpointing=True,
    )
    trainer.fit(tiny.make_model(), tiny.make_data())
    state = torch.load(tmp_path / 'last.ckpt', weights_only=True)
    assert state['global_step'] == 12


def test_negative_seconds_between_checkpoints(tmp_path):
    with pytest.raises(ValueError, match="'min_seconds' .* got -1"):
        LastCheckpoint(tmp_path, -1.0)


class Scripted(GraphPredictor):
    """Logs what it is told as validation score and loss of each epoch."""

    script = ()

    def on_validation_epoch_end(self):
        score, loss = self.script[self.current_epoch]
        self.log_dict({'val/acc': score, 'val/loss': loss})


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
        data = tiny.HopMixtureDataModule
        model = Scripted(
            data.name,
            metric='acc',
            node_dims=data.node_dims,
            edge_dims=data.edge_dims,
            **tiny.MODEL,
        )
        model.script = list(zip(scores, losses))
        last = tmp_path / 'last.ckpt'
        tiny.make_trainer(tmp_path, epochs).fit(
            model,
            tiny.make_data(num_graphs=20),
            ckpt_path=last if last.exists() else None,
            weights_only=True,
        )
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


@pytest.fixture(scope='module')
def model():
    seed_everything(0)
    return tiny.make_model()


@pytest.mark.parametrize('split', ['test', 'all'])
def test_predictions(model, tmp_path, split, capsys):
    path = tmp_path / 'new' / 'table.csv'
    data = tiny.make_data(predict_split=split, num_graphs=63)
    trainer = tiny.make_trainer(callbacks=[PredictionWriter(path)])
    trainer.predict(model, data)
    assert str(path) in capsys.readouterr().out
    assert list(path.parent.iterdir()) == [path]

    table = pd.read_csv(path)
    columns = ['graph_id', 'split', 'target_0', 'prediction_0']
    assert list(table) == columns
    parts = data.splits if split == 'all' else {split: data.splits[split]}
    for part, index in parts.items():
        rows = table[table['split'] == part]
        assert rows['graph_id'].tolist() == index.tolist()
    assert len(table) == sum(len(index) for index in parts.values())

    model.eval()
    for row in table.sample(5, random_state=0).itertuples():
        graph = data.two_hop(data.dataset[row.graph_id])
        with torch.no_grad():
            out, _ = model(graph)
        assert row.prediction_0 == pytest.approx(float(out.sigmoid()), 1e-5)
        assert row.target_0 == float(graph.y)


def test_predictions_go_to_the_run(model, tmp_path):
    trainer = tiny.make_trainer(
        callbacks=[PredictionWriter()], default_root_dir=tmp_path
    )
    trainer.predict(model, tiny.make_data())
    assert len(pd.read_csv(tmp_path / 'predictions.csv')) == 6


def test_predictions_beside_missing_labels(tmp_path):
    data = tiny.SomeLabels(batch_size=7, predict_split='all')
    trainer = tiny.make_trainer(
        callbacks=[PredictionWriter()], default_root_dir=tmp_path
    )
    trainer.predict(tiny.make_still(), data)
    table = pd.read_csv(tmp_path / 'predictions.csv')
    targets = torch.tensor(table.filter(like='target_').to_numpy())
    y = data.dataset._data.y.double()
    assert torch.equal(targets.isnan(), y.isnan())
    assert torch.equal(targets.nan_to_num(), y.nan_to_num())
    assert table.filter(like='prediction_').notna().all(axis=None)


def test_predictions_that_are_not_finite_are_told(tmp_path):
    model = tiny.make_still(num_experts=1, num_experts_1hop=1, top_k=None)
    with torch.no_grad():
        next(model.gnn.head.parameters()).fill_(NAN)
    trainer = tiny.make_trainer(
        callbacks=[PredictionWriter()], default_root_dir=tmp_path
    )
    with pytest.warns(UserWarning, match='6 of 6 graphs are not finite'):
        trainer.predict(model, tiny.SomeLabels())
