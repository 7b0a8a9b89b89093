"""Generated parts of Markdown files."""

from benchmarks.common.markdown import insert, markers, table, update


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
