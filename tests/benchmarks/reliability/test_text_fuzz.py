"""A short fuzz of what reads triples; the command makes a longer one."""

import sys
from pathlib import Path

from benchmarks.reliability.text_fuzz import fuzz, main


def test_fuzz(tmp_path: Path):
    counts = fuzz(1500, 0, tmp_path)
    for kind in ('lines', 'nesting', 'xml'):
        assert counts[kind].total() == 500
        assert min(counts[kind].values()) > 20


def test_command(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['text_fuzz'])
    main(calls=30, seed=1)
    assert '30 calls' in capsys.readouterr().out
