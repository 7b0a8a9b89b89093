"""Scores of links, beside OGB's Evaluator."""

import pytest
import torch

from gmoe.datasets import LINK_SETS, import_ogb
from gmoe.training.metrics import LINK_SCORES, LinkScore
from gmoe.training.metrics.link_score import hits_at


def make(num_links, num_others, step=0.001):
    """Probabilities with ties."""
    generator = torch.Generator().manual_seed(0)
    value = torch.rand(num_links + num_others, 1, generator=generator)
    value[:num_links] = value[:num_links].sqrt()
    y = torch.zeros(num_links + num_others, 1)
    y[:num_links] = 1
    return (value / step).round().double() * step, y


@pytest.mark.parametrize('name', list(LINK_SETS))
@pytest.mark.parametrize('sizes', [(900, 700), (50, 99), (50, 19), (7, 20)])
def test_that_of_ogb(name, sizes):
    evaluate = import_ogb('ogb.linkproppred.evaluate')
    prediction, y = make(*sizes)
    metric = LINK_SETS[name].eval_metric
    score = LinkScore(metric)
    order = torch.randperm(len(y))
    for part in order.split(300):
        score.update(prediction[part], y[part], part)
    links, others = prediction[y == 1], prediction[y == 0]
    expected = evaluate.Evaluator(name).eval(
        {'y_pred_pos': links, 'y_pred_neg': others}
    )
    scores = score.compute()
    assert float(scores[metric]) == expected[metric]
    assert list(scores)[0] == metric
    assert set(scores) == set(LINK_SCORES)


def test_one_link_at_a_time():
    prediction, y = make(40, 30, step=0.05)
    links, others = prediction[y == 1], prediction[y == 0]
    for count in (1, 5, 30):
        hits = [int((others >= p).sum()) < count for p in links]
        assert float(hits_at(links, others, count)) == sum(hits) / 40
    # The area: the share of pairs in the right order, ties a half.
    right = (links[:, None] > others).double()
    right += (links[:, None] == others).double() / 2
    score = LinkScore('rocauc')
    score.update(prediction, y, torch.arange(70))
    area = float(score.compute()['rocauc'])
    assert area == pytest.approx(float(right.mean()))


def test_unknown_ones_and_copies_do_not_count():
    prediction, y = make(40, 30)
    scores = []
    for extra in (0, 5):
        score = LinkScore('hits@20')
        score.update(prediction, y, torch.arange(70))
        if extra:
            nan = torch.full((extra, 1), torch.nan)
            score.update(torch.ones(extra, 1), nan, 70 + torch.arange(extra))
            score.update(prediction[:9], y[:9], torch.arange(9))
        scores.append(score.compute())
    assert scores[0] == scores[1]


def test_undefined():
    prediction, y = make(4, 3)
    for chosen in (y.view(-1) == 1, y.view(-1) == 0):
        score = LinkScore('hits@20')
        score.update(
            prediction[chosen],
            y[chosen],
            torch.arange(7)[: 4 if chosen[0] else 3],
        )
        with pytest.warns(UserWarning, match='there must be links'):
            assert all(v.isnan() for v in score.compute().values())
    score = LinkScore('hits@20')
    score.update(prediction * torch.nan, y, torch.arange(7))
    with pytest.warns(UserWarning, match='is not finite'):
        score.compute()
    with pytest.raises(ValueError, match="'metric' must be one of"):
        LinkScore('hits@7')
    with pytest.raises(ValueError, match="'count' must be"):
        hits_at(prediction, prediction, 0)
