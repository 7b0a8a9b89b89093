"""What any data tells its network."""

import pytest

from gmoe.training.task_data_module import TaskDataModule


class Labels(TaskDataModule):
    task_type, num_tasks, eval_metric = 'regression', 3, 'rmse'


class Classes(TaskDataModule):
    task_type, num_tasks, num_classes = 'multiclass classification', 1, 5
    eval_metric = 'accuracy'


def test_outputs_and_scores():
    assert (Labels().num_outputs, Classes().num_outputs) == (3, 5)
    assert (Labels().monitor, Labels().monitor_mode) == ('val/rmse', 'min')
    assert Classes().monitor_mode == 'max'
    assert Labels().train_weights() is None
    with pytest.raises(NotImplementedError):
        Labels().train_targets()


def test_text_makes_no_loaders():
    class Loaded(TaskDataModule):
        def train_dataloader(self):
            raise AssertionError

    assert str(Loaded()) == 'Loaded()'
