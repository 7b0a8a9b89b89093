"""The size of a network is printed before it is trained."""

import logging

from torch import nn

from gmoe.training.callbacks.parameter_count import ParameterCount


def test_count(caplog):
    module = nn.Sequential(nn.Linear(1000, 2), nn.Linear(2, 1))
    module[1].requires_grad_(False)
    with caplog.at_level(logging.INFO):
        logging.getLogger('lightning.pytorch').propagate = True
        ParameterCount().on_fit_start(None, module)
    assert 'Sequential: 2,005 parameters, 2,002 of them trained' in caplog.text
