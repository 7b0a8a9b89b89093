"""Generated parts of Markdown files."""

import pytest

from benchmarks.common.markdown import insert, markers, table, table_of, update


def test_insert_keeps_the_rest(tmp_path):
    begin, end = markers('x.y')
    text = f'a\n{begin}\nold\n{end}\nb\n'
    expected = f'a\n{begin}\n\nnew\n\n{end}\nb\n'
    assert insert(text, 'x.y', 'new') == expected
    path = tmp_path / 'a.md'
    path.write_text(text)
    update([path], 'x.y', 'new')
    assert path.read_text() == expected


def test_table():
    assert (
        table(['a', 'b'], [['1', '2']])
        == '| a | b |\n| --- | --- |\n| 1 | 2 |'
    )


def test_table_of_rows():
    rows = [{'a': '1', 'b': '2'}, {'a': '3', 'b': '4'}]
    assert table_of(rows) == table(['a', 'b'], [['1', '2'], ['3', '4']])
    assert table_of([]) == ''


def test_update_needs_both_markers(tmp_path):
    path = tmp_path / 'a.md'
    path.write_text(markers('x.y')[0])
    with pytest.raises(
        ValueError, match="'.*a.md' must have one line '<!-- e"
    ):
        update([path], 'x.y', 'new')
    assert path.read_text() == markers('x.y')[0]
