"""The best epoch of a run is kept with its weights."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from benchmarks.reproduce.kinds.run_log import RunLog
from gmoe.training.callbacks import AveragedWeights
from gmoe.training.metrics import ExpertUsage


def trainer_at(epoch, score, *callbacks):
    return SimpleNamespace(
        current_epoch=epoch,
        callback_metrics={'val/rmse': torch.tensor(score)},
        callbacks=callbacks,
    )


@pytest.mark.parametrize(
    ('mode', 'scores', 'best'),
    [
        ('min', [3.0, 1.0, 2.0, 1.0], 1),
        ('max', [3.0, 1.0, 3.5, 3.5], 2),
        ('max', [math.nan, 0.1, math.nan], 1),
        ('min', [math.nan, math.nan], 0),
        ('min', [math.inf, 5.0, math.nan], 1),
    ],
)
def test_best(tmp_path, mode, scores, best):
    model = nn.Linear(1, 1)
    model.metric, model.mode, model.usage = 'rmse', mode, ExpertUsage(1, 2)
    log = RunLog(tmp_path)
    for epoch, score in enumerate(scores):
        nn.init.constant_(model.weight, epoch)
        model.usage.reset()
        model.usage.counts += torch.tensor([1, epoch])
        log.on_train_epoch_end(trainer_at(epoch, score), model)
        # As after a checkpoint.
        state, log = log.state_dict(), RunLog(tmp_path)
        log.load_state_dict(state)
    assert log.best['epoch'] == best
    assert float(log.best['weights']['weight']) == best
    share = round(1 / (1 + best), 4)
    assert log.best['usage'] == [[share, pytest.approx(1 - share)]]
    assert len(log.curve['valid']) == len(scores)


def test_weights_are_those_that_were_validated(tmp_path):
    model, average = nn.Linear(1, 1), nn.Linear(1, 1)
    model.metric, model.mode, model.usage = 'rmse', 'min', None
    averaging = AveragedWeights(decay=0.9)
    log = RunLog(tmp_path)
    log.on_train_epoch_end(trainer_at(0, 2.0, averaging), model)
    assert log.best['weights']['weight'] == model.weight
    averaging._average_model = SimpleNamespace(module=average, n_averaged=1)
    log.on_train_epoch_end(trainer_at(1, 1.0, averaging), model)
    assert log.best['weights']['weight'] == average.weight
