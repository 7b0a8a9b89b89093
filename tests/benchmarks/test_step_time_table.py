"""The table in the docs is that of the result file."""

from benchmarks.markdown import insert
from benchmarks.step_time_table import NAME, PATH, load, table


def test_table_is_up_to_date():
    text = PATH.read_text()
    assert insert(text, NAME, table(load())) == text


def test_table_without_a_peer():
    row = {'name': 'gcn', 'batch': 32, 'gmoe_train_ms': 6.0}
    last = table([{**row, 'single_train_ms': 3.0}]).splitlines()[-1]
    assert last == '| gcn | 32 | - | 2.00 | - | - | - | - |'
