import torch
from lightning.pytorch import Callback, seed_everything

from gmoe.training import EpochSeed
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
