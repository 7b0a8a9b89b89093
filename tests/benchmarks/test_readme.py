"""The page about the benchmarks names every command, and no other."""

import re

from benchmarks.common.record import ROOT


def test_commands():
    paths = [
        path.relative_to(ROOT)
        for room in ('benchmarks', 'tools')
        for path in (ROOT / room).rglob('*.py')
        if "if __name__ == '__main__':" in path.read_text()
    ]
    there = {
        '.'.join(path.with_suffix('').parts).removesuffix('.__main__')
        for path in paths
    }
    page = (ROOT / 'benchmarks' / 'README.md').read_text()
    named = re.findall(r'^\| `((?:benchmarks|tools)[\w.]+)', page, re.M)
    assert set(named) == there
