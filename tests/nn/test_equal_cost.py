import pytest

from gmoe.nn import hidden_for_equal_cost


@pytest.mark.parametrize(
    ('hidden_channels', 'top_k', 'expected'),
    [(300, 1, 300), (300, 4, 150), (300, 2, 212), (300, 8, 106), (1, 9, 1)],
)
def test_hidden_for_equal_cost(hidden_channels, top_k, expected):
    assert hidden_for_equal_cost(hidden_channels, top_k) == expected


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((0, 1), "'hidden_channels' must be at least 1, got 0"),
        ((300, 0), "'top_k' must be at least 1, got 0"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        hidden_for_equal_cost(*arguments)
