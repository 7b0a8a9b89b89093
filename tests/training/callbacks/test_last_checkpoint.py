from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Callback, seed_everything

from gmoe.training import LastCheckpoint
from gmoe.training.callbacks import last_checkpoint as module
from tests.training import tiny


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
