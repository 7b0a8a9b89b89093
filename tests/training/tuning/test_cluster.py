"""Where a search runs."""

import sys

import pytest

from gmoe.training.tuning import Resources
from gmoe.training.tuning.cluster import cluster


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'cores': 0}, "'cores' must be an integer >= 1"),
        ({'workers': 0}, "'workers' must be an integer >= 1"),
        ({'gpus': -1}, "'gpus' must be a number >= 0"),
        ({'memory': 0}, "'memory' must be a number > 0"),
    ],
)
def test_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Resources(**change)


def test_without_ray(monkeypatch):
    pytest.importorskip('optuna')
    for name in [n for n in sys.modules if n.partition('.')[0] == 'ray']:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'ray', None)
    message = r"'ray.*' is not installed: pip install 'gmoe\[cluster\]'"
    with pytest.raises(ImportError, match=message), cluster(Resources()):
        pass


def test_no_cluster():
    pytest.importorskip('ray.tune')
    pytest.importorskip('optuna')
    message = "'ray.address' must be 'local', 'auto' or the address"
    with (
        pytest.raises(ValueError, match=message),
        cluster(Resources('nowhere')),
    ):
        pass
