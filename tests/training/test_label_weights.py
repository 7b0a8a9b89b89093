import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from gmoe.training.label_weights import LabelWeights
from gmoe.training.task import MULTICLASS, Task

NAN = float('nan')
BINARY = 'binary classification'


def test_balanced_classes_of_each_task_equal_those_of_sklearn():
    y = torch.tensor(
        [[1.0, 0, 1], [0, 0, 1], [0, NAN, 1], [0, 1, 1], [NAN, 1, NAN]]
    )
    weights = LabelWeights(Task(BINARY), 3, 'balanced')
    weights.fit_classes(y)
    out = weights(y, None)
    for task in (0, 1):
        known = y[:, task][~y[:, task].isnan()].numpy()
        expected = compute_class_weight(
            'balanced', classes=np.array([0, 1]), y=known
        )
        assert weights.by_class[task].tolist() == pytest.approx(list(expected))
        for label, weight in zip(y[:, task], out[:, task]):
            if not label.isnan():
                assert float(weight) == pytest.approx(expected[int(label)])
    # A task of one class: nothing to balance.
    assert weights.by_class[2].tolist() == [1, 1]
    # One on average over labels.
    assert out[:, 0][:4].mean() == pytest.approx(1)


def test_balanced_categories():
    y = torch.tensor([0, 0, 0, 2, -1, 3])
    weights = LabelWeights(Task(MULTICLASS), 5, 'balanced')
    weights.fit_classes(y)
    expected = compute_class_weight(
        'balanced', classes=np.array([0, 2, 3]), y=[0, 0, 0, 2, 3]
    )
    assert weights.by_class[0, [0, 2, 3]].tolist() == pytest.approx(
        list(expected)
    )
    assert weights.by_class[0, [1, 4]].tolist() == [1, 1]
    assert weights(y, None).shape == (6, 1)


def test_weights_of_graphs_are_one_on_average():
    graph = torch.tensor([[2.0], [0.0], [4.0]])
    weights = LabelWeights(Task('regression'), 2)
    assert weights(torch.zeros(3, 2), None) is None
    assert not weights.state_dict()
    weights.fit_graphs(graph.view(-1))
    out = weights(torch.zeros(3, 2), graph)
    assert out.view(-1).tolist() == [1, 0, 2]
    weights.fit_graphs(None)
    assert torch.equal(weights(torch.zeros(3, 2), graph), graph)


def test_both():
    y = torch.tensor([[1.0], [0.0], [0.0], [0.0]])
    weights = LabelWeights(Task(BINARY), 1, 'balanced')
    weights.fit_classes(y)
    out = weights(y, torch.tensor([3.0, 1, 1, 0]))
    assert out.view(-1).tolist() == pytest.approx([6, 2 / 3, 2 / 3, 0])


def test_weighted_loss():
    out = torch.tensor([[0.3], [-0.2], [1.0]])
    y = torch.tensor([[1.0], [NAN], [0.0]])
    weight = torch.tensor([[1.5], [9.0], [0.5]])
    task = Task('regression')
    loss, count = task.loss(out, y, weight)
    assert float(loss) == pytest.approx((1.5 * 0.7**2 + 0.5 * 1.0) / 2)
    assert count == 2
    categories = torch.tensor([0, -1, 1])
    logits = torch.cat([out, -out], dim=1)
    entries, _ = Task(MULTICLASS).entry_loss(logits, categories)
    loss, count = Task(MULTICLASS).loss(logits, categories, weight)
    assert torch.allclose(loss, (weight * entries).sum() / 2)
    assert count == 2


@pytest.mark.parametrize(
    'wrong', [[1.0, -1.0], [0.0, 0.0], [1.0, NAN], [float('inf'), 1.0]]
)
def test_refused_weights(wrong):
    weights = LabelWeights(Task(BINARY), 1)
    with pytest.raises(ValueError, match="'weights' of the training graphs"):
        weights.fit_graphs(torch.tensor(wrong))


def test_refused_class_weights():
    with pytest.raises(ValueError, match="'class_weights'.*'balanced'.*'x'"):
        LabelWeights(Task(BINARY), 1, 'x')
    with pytest.raises(ValueError, match="'class_weights' must be None"):
        LabelWeights(Task('regression'), 1, 'balanced')
