"""Configurations of a training, read in Python."""

import pytest
from lightning.pytorch.callbacks import EarlyStopping, Timer

from gmoe.molecules.fit_settings import read_settings

TEXT = """
seed_everything: 3
trainer:
  max_epochs: 7
  callbacks:
  - class_path: lightning.pytorch.callbacks.EarlyStopping
    init_args: {monitor: val/rmse, patience: 4}
model:
  class_path: gmoe.training.GraphPredictor
  init_args: {conv: gin}
data:
  init_args: {batch_size: 8}
"""


def write(folder, text):
    path = folder / 'own.yaml'
    path.write_text(text)
    return path


def test_a_file(tmp_path):
    settings = read_settings(write(tmp_path, TEXT))
    assert settings.model == {'conv': 'gin'}
    assert settings.data == {'batch_size': 8}
    trainer = settings.make_trainer(
        [Timer()], logger=False, enable_checkpointing=False, accelerator='cpu'
    )
    assert trainer.max_epochs == 7
    assert trainer.early_stopping_callback.patience == 4
    kinds = {type(callback) for callback in trainer.callbacks}
    assert {EarlyStopping, Timer} <= kinds
    again = settings.make_trainer(
        [], max_epochs=2, logger=False, accelerator='cpu'
    )
    assert again.max_epochs == 2


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('[1', "must be a YAML file, got '"),
        ('3', "with 'model', 'data' or 'trainer'"),
        ('model: 3', "'model' in .* must be settings by name, got 3"),
        ('data: {init_args: 3}', "'init_args' in .* by name, got 3"),
        (
            'model: {class_path: gmoe.training.TriplePredictor}',
            "must be of a GraphPredictor, got .* of 'TriplePredictor'",
        ),
    ],
)
def test_what_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_settings(write(tmp_path, text))


def test_an_unknown_name():
    with pytest.raises(ValueError, match="must be one of .* got 'fastest'"):
        read_settings('fastest')


def test_what_no_trainer_takes(tmp_path):
    settings = read_settings(write(tmp_path, 'trainer: {epochs: 3}'))
    with pytest.raises(ValueError, match="'config' must have arguments of a"):
        settings.make_trainer([])
