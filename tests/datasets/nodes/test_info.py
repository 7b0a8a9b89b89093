"""What is known of the public graphs."""

from gmoe.datasets import NODE_SETS
from gmoe.training.metrics import METRIC_MODES
from gmoe.training.task import SCORES


def test_each_set_has_a_score_of_its_task():
    assert len({info.folder for info in NODE_SETS.values()}) == len(NODE_SETS)
    for name, info in NODE_SETS.items():
        assert info.name == name
        assert info.eval_metric in SCORES[info.task_type]
        assert METRIC_MODES[info.eval_metric] == 'max'
