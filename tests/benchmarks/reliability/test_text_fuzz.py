"""A short fuzz of what reads triples; the command makes a longer one."""

import sys
from pathlib import Path

from benchmarks.reliability.fuzz import fuzz
from benchmarks.reliability.text_fuzz import kinds, main


def test_fuzz(tmp_path: Path):
    counts = fuzz(kinds(tmp_path), 1500, 0)
    for kind in ('lines', 'nesting', 'xml'):
        assert counts[kind].total() == 500
        assert min(counts[kind].values()) > 20


def test_command(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['text_fuzz'])
    main(calls=30, seed=1)
    assert '30 calls' in capsys.readouterr().out
