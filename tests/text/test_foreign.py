"""Settings that are of transformers, and those that are of nobody."""

import pytest

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)

from gmoe.text.foreign import unknown_names  # noqa: E402


def test_unknown_names():
    given = ['own', 'num_labels', 'torch_dtype', '_private', 'owm', 'top_k']
    assert unknown_names(given, ['own']) == ['owm', 'top_k']
