"""What the search of settings has found, as a table."""

from benchmarks.webnlg.search import main, table


def test_best_first():
    records = [
        {'row': name, 'valid': score}
        for name, score in (('a', 0.5), ('b', 0.75), ('a', 0.7))
    ]
    assert table(records).splitlines()[2:] == [
        '| b | 0.7500 | 1 |',
        '| a | 0.6000 ± 0.1414 | 2 |',
    ]


def test_committed_results(capsys):
    main()
    out = capsys.readouterr().out
    assert '| base | ' in out
    assert '| hide root (scored on all graphs held out) |' in out
