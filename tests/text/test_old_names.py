"""Settings by the names of earlier versions."""

import warnings

import pytest

from gmoe.text.old_names import OLD_NAMES, with_new_names


@pytest.mark.parametrize(('old', 'new'), OLD_NAMES.items())
def test_old_names_are_read_with_a_warning(old, new):
    with pytest.warns(FutureWarning, match=f"'{old}' is called '{new}' now"):
        assert with_new_names({old: 3, 'x': 4}) == {new: 3, 'x': 4}
    with pytest.raises(ValueError, match=f"'{old}' must be left out beside"):
        with_new_names({old: 3, new: 3})


def test_new_names_are_silent():
    settings = dict.fromkeys(OLD_NAMES.values(), 1)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert with_new_names(settings) == settings
