import pytest
import torch
from lightning.pytorch import Callback, seed_everything

from gmoe.training.callbacks import EarlyStop
from tests.training import tiny

NAN = float('nan')


class Scores(Callback):
    """Gives each epoch the score that it is told."""

    def __init__(self, scores):
        self.scores = scores

    def on_train_epoch_end(self, trainer, pl_module):
        score = torch.tensor(self.scores[trainer.current_epoch])
        pl_module.log('val/mine', score)


def epochs(folder, scores, patience=2, ckpt_path=None, **kwargs):
    seed_everything(0)
    stop = EarlyStop(patience, monitor='val/mine', mode='max', **kwargs)
    trainer = tiny.make_trainer(
        folder, len(scores), [Scores(scores), stop], limit_train_batches=1
    )
    trainer.fit(
        tiny.make_model(),
        tiny.make_data(),
        ckpt_path=ckpt_path,
        weights_only=True,
    )
    return trainer.current_epoch


@pytest.mark.parametrize(
    ('scores', 'kwargs', 'expected'),
    [
        ([1.0, 2.0, 1.5, 2.0, 3.0, 3.0], {}, 4),
        ([1.0, 2.0, 1.5, 2.1, 3.0, 3.0], {}, 6),
        ([1.0, 2.0, 1.5, 2.1, 3.0, 3.0], {'min_delta': 0.2}, 4),
        ([1.0, 0.5, NAN, NAN, 0.5, 3.0], {}, 5),
        ([NAN] * 4, {}, 4),
        ([3.0, 2.0, 1.0, 0.0], {'patience': None}, 4),
    ],
)
def test_number_of_epochs(scores, kwargs, expected):
    assert epochs(None, scores, **kwargs) == expected


def test_stopped_run_goes_on_with_more_patience_only(tmp_path):
    scores = [3.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert epochs(tmp_path, scores) == 3
    last = tmp_path / 'last.ckpt'
    assert epochs(tmp_path, scores, ckpt_path=last) == 3
    assert epochs(tmp_path, scores, patience=4, ckpt_path=last) == 5


@pytest.mark.parametrize(
    ('name', 'value'), [('patience', 0), ('patience', 1.5), ('min_delta', -1)]
)
def test_refused(name, value):
    with pytest.raises(ValueError, match=f"'{name}' must be .* got {value}"):
        EarlyStop(**{name: value})
