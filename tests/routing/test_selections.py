import pytest

from gmoe.routing import SELECTIONS, ExpertChoice, Router, TopP
from gmoe.routing.select import AllExperts, TopK
from gmoe.routing.selections import make_selection

NEEDED = {
    'top_p': {'select_kwargs': {'p': 0.5}},
    'balanced_top_k': {'top_k': 2},
}


@pytest.mark.parametrize('select', SELECTIONS)
def test_by_name(select):
    selection = make_selection(4, select=select, **NEEDED.get(select, {}))
    assert type(selection) is SELECTIONS[select]


def test_without_a_name():
    assert isinstance(make_selection(4), AllExperts)
    selection = make_selection(4, 2, 'sparsemax', False)
    assert isinstance(selection, TopK)
    assert (selection.top_k, selection.topk_first) == (2, False)
    assert selection.normalize == 'sparsemax'
    assert make_selection(4, 2).topk_first


def test_arguments_and_own_selections():
    selection = make_selection(
        4, select='expert_choice', select_kwargs={'capacity_factor': 1.5}
    )
    assert isinstance(selection, ExpertChoice)
    assert selection.capacity_factor == 1.5
    own = TopP(0.2)
    assert make_selection(4, select=own) is own


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'select': 'top_q'}, r"'select' must be one of \['top_p'.* 'top_q'"),
        ({'select': 'top_p'}, "'select_kwargs' must have 'p' .* got None"),
        (
            {'select': 'top_p', 'select_kwargs': {'q': 1}},
            r"'select_kwargs' must be one of \['p', 'renormalize'\], got 'q'",
        ),
        (
            {'select': 'top_p', 'select_kwargs': 0.5},
            "'select_kwargs' must be a mapping or None, got 0.5",
        ),
        ({'select_kwargs': {'p': 1}}, "'select_kwargs' must be None where"),
        (
            {'select': 'top_p', 'select_kwargs': {'p': 0.5}, 'top_k': 2},
            "'top_k' must be None where 'select' is 'top_p', got 2",
        ),
        ({'select': 'balanced_top_k'}, "'top_k' must be an integer .* None"),
        (
            {'select': 'top_any', 'select_kwargs': {'num_experts': 3}},
            "'select_kwargs' must be one of .* got 'num_experts'",
        ),
        (
            {'select': 'top_any', 'normalize': 'sparsemax'},
            "'normalize' must be 'softmax' .* got 'sparsemax'",
        ),
        (
            {'select': 'balanced_top_k', 'top_k': 2, 'topk_first': True},
            "'topk_first' must be None .* got True",
        ),
        ({'select': TopP(0.5), 'top_k': 2}, "'top_k' must be None .* got 2"),
        (
            {'select': TopP(0.5), 'select_kwargs': {}},
            "'select_kwargs' must be None .* got {}",
        ),
    ],
)
def test_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        Router(3, 4, **kwargs)
