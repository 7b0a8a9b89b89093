import pytest

from gmoe.common.arguments import check_at_least, check_choice, check_dropout


def test_choices():
    check_choice('norm', None, ('layer_norm', None))
    message = r"'norm' must be one of \['layer_norm', None\], got 'other'"
    with pytest.raises(ValueError, match=message):
        check_choice('norm', 'other', ('layer_norm', None))


@pytest.mark.parametrize('size', [0, 1.5, '2', True, None])
def test_sizes(size):
    check_at_least(1, first=1, second=2)
    message = f"'second' must be an integer >= 1, got {size!r}"
    with pytest.raises(ValueError, match=message):
        check_at_least(1, first=1, second=size)


@pytest.mark.parametrize('share', [-0.1, 1.0, '0', None])
def test_shares(share):
    check_dropout(dropout=0, text_dropout=0.5)
    with pytest.raises(ValueError, match=f"'dropout' .*, got {share!r}"):
        check_dropout(dropout=share)


def test_long_values_are_cut():
    with pytest.raises(ValueError, match="'conv' must be .*") as error:
        check_choice('conv', 'x' * 1000, ['gcn'])
    assert len(str(error.value)) < 200
