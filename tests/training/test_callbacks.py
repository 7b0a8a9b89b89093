from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from lightning.pytorch import Callback, seed_everything

from gmoe.training import EpochSeed, LastCheckpoint, PredictionWriter
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
