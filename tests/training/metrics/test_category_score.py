import pytest
import torch

from gmoe.training import METRIC_MODES, CategoryScore
from gmoe.training.metrics import CATEGORY_SCORES


def test_unknown_categories_do_not_count():
    generator = torch.Generator().manual_seed(0)
    prediction = torch.rand(30, 4, generator=generator)
    target = torch.randint(4, (30,), generator=generator)
    ids = torch.arange(30)
    known, score = CategoryScore(4), CategoryScore(4)
    known.update(prediction[10:], target[10:], ids[10:])
    target[:10] = -1
    score.update(prediction, target, ids)
    assert score.compute() == known.compute()


@pytest.mark.parametrize(
    ('prediction', 'target', 'reason'),
    [
        (0.25, -1, 'no category is known'),
        (float('nan'), 1, 'a prediction is not finite'),
    ],
)
def test_undefined_scores_of_categories(prediction, target, reason):
    score = CategoryScore(4)
    score.update(
        torch.full((3, 4), prediction),
        torch.full((3,), target),
        torch.arange(3),
    )
    with pytest.warns(UserWarning, match=reason):
        values = score.compute()
    assert set(values) == set(CATEGORY_SCORES)
    assert all(value.isnan() for value in values.values())


def test_scores_of_categories_are_those_of_sklearn():
    metrics = pytest.importorskip('sklearn.metrics')
    generator = torch.Generator().manual_seed(0)
    # Two categories are never there, one of them is predicted.
    target = torch.randint(5, (200,), generator=generator)
    logits = torch.randn(200, 7, generator=generator)
    logits[:, 6] = -9
    predicted = logits.argmax(dim=1)
    score = CategoryScore(7)
    order = torch.randperm(200, generator=generator)
    for ids in (order[:70], order[60:], order[:5]):
        score.update(logits[ids].softmax(dim=1), target[ids], ids)
    expected = {
        'accuracy': metrics.accuracy_score(target, predicted),
        **{
            f'{average}_f1': metrics.f1_score(
                target, predicted, average=average, zero_division=0
            )
            for average in ('weighted', 'macro')
        },
    }
    expected['mcc'] = metrics.matthews_corrcoef(target, predicted)
    areas = {
        'rocauc': metrics.roc_auc_score,
        'ap': metrics.average_precision_score,
    }
    p = logits.softmax(dim=1)
    for name, area in areas.items():
        each = [
            area(target == category, p[:, category]) for category in range(5)
        ]
        expected[name] = sum(each) / 5
    out = score.compute()
    assert set(out) == set(expected) == set(CATEGORY_SCORES)
    for name, value in expected.items():
        assert float(out[name]) == pytest.approx(value, abs=1e-6), name
        assert METRIC_MODES[name] == 'max'
    with pytest.raises(
        ValueError, match="'num_classes' must be an integer >= 2"
    ):
        CategoryScore(1)


def test_graphs_of_one_category_have_no_areas():
    score = CategoryScore(3)
    score.update(torch.eye(3)[:2], torch.tensor([0, 0]), torch.arange(2))
    with pytest.warns(RuntimeWarning, match='rocauc, ap need'):
        values = score.compute()
    assert values['rocauc'].isnan()
    assert values['accuracy'] == 0.5
