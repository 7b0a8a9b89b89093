"""Options of a command line that no parser has read."""

from gmoe.cli.options import given, parts, values, without

LINE = ['fit', '--a', '1', '--b=2', '--a=3=4', '--c', '-a', '--a']


def test_values():
    assert values(LINE, '--a') == ['1', '3=4', '']
    assert values(LINE, '--b', '--a') == ['1', '2', '3=4', '']
    assert values(LINE, '--d') == []


def test_the_last_one_counts():
    assert given(LINE, '--a') == ''
    assert given(LINE[:-1], '--a') == '3=4'
    assert given(LINE, '--d') is None


def test_without():
    assert without(LINE, '--a') == ['fit', '--b=2', '--c', '-a']
    assert without(LINE) == LINE


def test_an_option_is_no_value():
    line = ['--a', '--b', '-1', '--a', '--c', 'x']
    assert list(parts(line, '--a', '--b')) == [
        ('--a', ''),
        ('--b', '-1'),
        ('--a', ''),
        ('', '--c'),
        ('', 'x'),
    ]
