"""Files of one JSON object per line."""

import pytest

from benchmarks.common import json_lines


def test_cut_off_anywhere(tmp_path):
    path = tmp_path / 'new' / 'x.jsonl'
    assert json_lines.read(path) == []
    # A line end of Unicode's in a text is none of the file's.
    first, second = {'name': 'a\u2028b'}, {'name': 'c'}
    json_lines.append(path, first)
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole + whole[:cut])
        assert json_lines.read(path) == [first]
        json_lines.append(path, second)
        assert json_lines.read(path) == [first, second]


@pytest.mark.parametrize('line', [b'x', b'[]', b'\xff', b'[' * 100_000])
def test_refused(tmp_path, line):
    path = tmp_path / 'x.jsonl'
    path.write_bytes(b'{}\n' + line + b'\n')
    with pytest.raises(ValueError, match=r"line 2 of '.*x.jsonl' must be"):
        json_lines.read(path)
