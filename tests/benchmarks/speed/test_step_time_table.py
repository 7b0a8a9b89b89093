"""The tables in the docs are those of the result files."""

import pytest

from benchmarks.common.markdown import insert
from benchmarks.speed import op_bandwidth_table, step_time_table
from benchmarks.speed.step_time_plot import draw
from benchmarks.speed.step_time_table import PATH, TABLES, load, table


@pytest.mark.parametrize('name', TABLES)
def test_table_is_up_to_date(name):
    text = PATH.read_text()
    assert insert(text, name, table(load(name))) == text


def test_profile_is_up_to_date():
    text = PATH.read_text()
    content = step_time_table.profile_table(load())
    assert insert(text, step_time_table.PROFILE, content) == text


def test_names_of_ops():
    shares = {
        'GeneratedBackwardFor_gmoe_gcn_experts_default': 0.4,
        'gmoe::gcn_experts_backward': 0.3,
        'aten::mm': 0.1,
        'aten::add': 0.01,
    }
    row = {'name': 'gcn', 'batch': 32, 'gmoe_profile': shares}
    last = step_time_table.profile_table([row, {'name': 'x'}]).splitlines()[-1]
    assert last == (
        '| gcn | 32 | `gcn_experts` 40 %, `gcn_experts` backward 30 %, '
        '`mm` 10 % |'
    )


def test_bandwidth_table_is_up_to_date():
    text = PATH.read_text()
    content = op_bandwidth_table.table(op_bandwidth_table.load())
    assert insert(text, op_bandwidth_table.NAME, content) == text


def test_picture(tmp_path):
    path = draw(load(), tmp_path / 'step_time.png')
    assert path.read_bytes().startswith(b'\x89PNG')
    assert step_time_table.PICTURE.exists()


def test_table_without_a_peer():
    row = {'name': 'gcn', 'batch': 32, 'gmoe_train_ms': 6.0}
    last = table([{**row, 'single_train_ms': 3.0}]).splitlines()[-1]
    assert last == '| gcn | 32 | - | 2.00 | - | - | - | - |'
