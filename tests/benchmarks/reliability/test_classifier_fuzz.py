"""A short fuzz of the text classifiers; the command makes a longer one."""

from pathlib import Path

import pytest

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)
pytest.importorskip('accelerate', reason=reason)
pytest.importorskip('sklearn', reason=reason)

from benchmarks.reliability.classifier_fuzz import kinds, main  # noqa: E402
from benchmarks.reliability.fuzz import fuzz  # noqa: E402


def test_fuzz(tmp_path: Path):
    counts = fuzz(kinds(tmp_path), 120, 0)
    for kind in ('texts', 'labels', 'settings', 'files'):
        assert counts[kind].total() == 30
        assert min(counts[kind].values()) > 2


def test_command(capsys):
    main(calls=4, seed=1)
    assert '4 calls' in capsys.readouterr().out
