"""Columns of tables from outside; refusals are tested with the tables."""

import pandas as pd
import pytest
import torch

from gmoe.datasets.limits import Limits
from gmoe.datasets.nodes import text_columns
from gmoe.datasets.nodes.text_columns import (
    ends_of,
    number_of_id,
    numbers_in,
    read_columns,
    wrong_row,
)


def test_texts_are_kept(tmp_path):
    path = tmp_path / 'x.csv'
    path.write_text('\ufeffid, a\n007,1\nNone,2.5\n', encoding='utf-8')
    table = read_columns(path, ['id'])
    assert table['id'].tolist() == ['007', 'None']
    assert numbers_in(table, ['a'], path).tolist() == [[1], [2.5]]
    number = number_of_id(table, path)
    edges = pd.DataFrame({'source': ['None'], 'target': ['007']})
    ends = ends_of(edges, number, path)
    assert torch.equal(ends, torch.tensor([[1], [0]]))


def test_names_of_columns(tmp_path):
    """Equal ones are no two columns; numbers of rows, without one, are no
    column."""
    path = tmp_path / 'x.csv'
    path.write_text(',id,a\n0,x,1\n1,y,2\n')
    table = read_columns(path, ['id'])
    assert table.columns.tolist() == ['id', 'a']
    assert table['id'].tolist() == ['x', 'y']
    path.write_text('id,label,a,label\nx,1,2,1\n')
    with pytest.raises(ValueError, match="each column once, got 'label' tw"):
        read_columns(path, ['id'])


def test_too_large(tmp_path, monkeypatch):
    path = tmp_path / 'x.csv'
    path.write_text('id\n' * 9)
    monkeypatch.setattr(text_columns, 'LIMITS', Limits(table=9))
    with pytest.raises(ValueError, match='at most 9 bytes'):
        read_columns(path, ['id'])


def test_first_of_wrong_rows(tmp_path):
    table = pd.DataFrame({'a': ['x', 'y', 'z']})
    error = wrong_row(tmp_path, 'no', table, table['a'] != 'x')
    assert str(error).endswith("no, got 'y' in line 3 (2 such rows)")
