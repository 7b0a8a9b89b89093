"""Values in error messages."""

from gmoe.common.shown import counted, shown


def test_counted():
    assert [counted(n, 'row') for n in range(3)] == [
        '0 rows',
        '1 row',
        '2 rows',
    ]


def test_shown():
    assert shown('a') == "'a'"
    assert shown(3) == '3'
    assert shown('x' * 10**7) == f"'{'x' * 60}'... (10000000 long)"
    assert len(shown(['x' * 10**6])) == 63
    assert shown(b'\xff') == "b'\\xff'"
