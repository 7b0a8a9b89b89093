"""The tables of the README and the docs are those of the result files."""

import pytest

from benchmarks.markdown import insert
from benchmarks.molecules_table import FILES, NAME, load, table


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_tables_are_up_to_date(path):
    text = path.read_text()
    assert insert(text, NAME, table(load())) == text


def test_table():
    result = {
        'dataset': 'ogbg-molbbbp',
        'metric': 'rocauc',
        'valid': 0.9,
        'test': 0.5,
        'num_parameters': 1234,
        'train_seconds_per_epoch': 2.0,
        'model': {'conv': 'gcn', 'hidden_channels': 300},
        'data': {'drop_nodes': 0.0},
    }
    other = {**result, 'test': 0.7}
    rows = table([result, other]).splitlines()
    assert len(rows) == 3
    assert '60.00 ± 14.14' in rows[2]
    assert '68.87 ± 1.51' in rows[2]
    assert '1,234' in rows[2]
