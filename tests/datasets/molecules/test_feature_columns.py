"""Columns of a table that a network reads beside the graphs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gmoe.datasets.molecules import MoleculeDataset, MoleculeFeatures
from gmoe.datasets.molecules.feature_columns import (
    check_columns,
    columns_in,
    given_columns,
    read_cells,
)
from gmoe.datasets.molecules.table import read_table

pytest.importorskip('rdkit')


def write(path: Path, temperature: list[str]) -> Path:
    rows = [f'C{"C" * i},{t},{i * i}' for i, t in enumerate(temperature)]
    path.write_text('\n'.join(['smiles,T,y', *rows]))
    return path


def test_read_to_train(tmp_path: Path):
    path = write(tmp_path / 'a.csv', ['1.5', '', '3', 'NA', '2', *'99999'])
    table = read_table(path, feature_columns=['T'])
    expected = [1.5, np.nan, 3, np.nan, 2, 9, 9, 9, 9, 9]
    assert table.columns.shape == (10, 1)
    assert np.array_equal(table.columns[:, 0], expected, equal_nan=True)
    assert table.info.targets == ('y',)
    assert "read beside the graphs: ['T'], 2 cells of them blank" in table.said
    assert read_table(path).info.targets == ('T', 'y')


@pytest.mark.parametrize(
    ('column', 'match'),
    [
        ('t', "'feature_columns' must be a column.*nearest of \\['T'\\]"),
        ('smiles', "'feature_columns' must be columns of their own"),
        ('T', "line 4: 'T' must be a finite number, or blank.*'warm'"),
    ],
)
def test_refused(column: str, match: str, tmp_path: Path):
    path = write(tmp_path / 'a.csv', ['1', '2', 'warm', '3', '4'])
    with pytest.raises(ValueError, match=match):
        read_table(path, feature_columns=[column])


def test_refused_as_it_is_blank_or_a_target(tmp_path: Path):
    path = write(tmp_path / 'a.csv', [''] * 6)
    with pytest.raises(ValueError, match="'T', of which all cells are blank"):
        read_table(path, feature_columns=['T'])
    write(path, list('123456'))
    with pytest.raises(ValueError, match="'targets' must be columns of their"):
        read_table(path, targets='T', feature_columns=['T'])
    with pytest.raises(ValueError, match='different names of columns'):
        read_table(path, feature_columns=['T', 'T'])


def test_in_a_dataset(tmp_path: Path):
    """Behind what is computed, of the molecules that are kept."""
    path = tmp_path / 'a.csv'
    frame = pd.DataFrame(
        {
            'smiles': ['CCO', 'C1CC', 'CC', 'CCN', 'CCCl', 'CCBr'] * 2,
            'T': [1, 2, 3, None, 5, 1e15] * 2,
            'y': np.arange(12) / 10,
        }
    )
    frame.to_csv(path, index=False)
    features = MoleculeFeatures(['counts'], ['T'])
    data = MoleculeDataset(path, features=features, cache_dir=tmp_path)
    attr = np.concatenate([graph.graph_attr for graph in data])
    assert attr.shape == (10, 2049)
    assert features.names[-1] == 'T'
    counts = MoleculeFeatures(['counts']).compute(
        [data.smiles(i) for i in range(10)]
    )
    assert np.array_equal(attr[:, :-1], counts)
    expected = [1, 3, np.nan, 5, np.float32(1e15)] * 2
    assert np.array_equal(attr[:, -1], expected, equal_nan=True)


def test_settings():
    features = MoleculeFeatures([], ['T', 'pH'])
    assert features.names == ('T', 'pH')
    assert columns_in(features.to_dict()) == ('T', 'pH')
    again = MoleculeFeatures.from_dict(features.to_dict())
    values = np.arange(4.0).reshape(2, 2)
    assert np.array_equal(again.compute(['C', 'O'], columns=values), values)
    assert 'columns' not in MoleculeFeatures(['counts']).to_dict()
    assert columns_in(None) == columns_in({}) == ()
    for columns, got in ((None, 'none'), (values[:1], r'\(1, 2\)')):
        with pytest.raises(ValueError, match=f"'columns' must be .*{got}"):
            again.compute(['C', 'O'], columns=columns)
    for wrong in ('T', ['T', 1], [''], ['T' * 1001], {'T': 1}):
        with pytest.raises(ValueError, match="'feature_columns' must be"):
            check_columns(wrong)


def test_read_to_predict():
    rows = [['1', '2,5'], ['', 'n/a'], ['x', '1'], ['1,234', '1'], ['inf', '']]
    values, reasons = read_cells(rows, ['a', 'b'])
    assert np.array_equal(values[:2], [[1, 2.5], [np.nan] * 2], equal_nan=True)
    assert reasons == [
        '',
        '',
        "'a' is no number: 'x'",
        "'a' is no number: '1,234'",
        "'a' is no number: 'inf'",
    ]
    assert read_cells(rows, ['a', 'b'], is_comma_free=True)[0][3, 0] == 1.234


def test_given_in_memory():
    frame = pd.DataFrame({'T': [1, None], 'other': ['x', 'y']})
    values = given_columns(frame, ['T'], 2)
    assert np.array_equal(values, [[1], [np.nan]], equal_nan=True)
    assert given_columns(frame, [], 2) is None
    for columns, match in (
        (None, r"must have \['T'\], .* got None"),
        ({'t': [1, 2]}, r"must have 'T', .* nearest of \['t'\]"),
        ({'T': [1]}, "2 finite numbers of 'T'"),
        ({'T': [1, 'x']}, "2 finite numbers of 'T'"),
        ({'T': [1, np.inf]}, "2 finite numbers of 'T'"),
    ):
        with pytest.raises(ValueError, match=match):
            given_columns(columns, ['T'], 2)
