from pathlib import Path

import pytest

from gmoe.datasets.molecules.table import read_table

pytest.importorskip('rdkit')

ROWS = [('CCO', 1.5), ('CC', 2.5), ('C', -1), ('CCC', 0), ('CO', 3)] * 3


def write(path: Path, header: str = 'smiles,y', extra: str = '') -> Path:
    rows = [f'{smiles},{y}{extra}' for smiles, y in ROWS]
    path.write_text('\n'.join([header, *rows]))
    return path


def test_columns_are_found_and_said(tmp_path: Path):
    table = read_table(write(tmp_path / 'a.csv'))
    assert table.smiles == [smiles for smiles, _ in ROWS]
    assert table.row == list(range(2, 17))
    assert table.y[:, 0].tolist() == [y for _, y in ROWS]
    assert (table.weights, table.split) == (None, None)
    assert table.info.targets == ('y',)
    assert table.info.task_type == 'regression'
    assert table.info.smiles == 'smiles'
    assert table.said == [
        "SMILES strings: column 'smiles'",
        "1 target: ['y']",
        'task: regression',
    ]


def test_given_columns(tmp_path: Path):
    text = ['part,w,b,structure,a']
    parts = ['Train', 'training', 'val', 'TEST', '']
    text += [f'{part},{i},{i % 2},CC,{i}' for i, part in enumerate(parts * 3)]
    path = tmp_path / 'a.csv'
    path.write_text('\n'.join(text))
    table = read_table(path, 'structure', ['b'], 'w', 'part', 'binary')
    assert table.info.targets == ('b',)
    assert table.info.classes == ('0', '1')
    assert table.info.smiles == 'structure'
    assert table.weights.tolist() == list(range(15))
    assert table.split == ['train', 'train', 'valid', 'test', ''] * 3
    assert read_table(path, targets='b').y.shape == (15, 1)


def test_excel_of_a_country_with_decimal_commas(tmp_path: Path):
    rows = [f'{smiles};{y:.2f}'.replace('.', ',') for smiles, y in ROWS]
    path = tmp_path / 'a.csv'
    path.write_text('\n'.join(['SMILES;y', *rows]), encoding='utf-8-sig')
    table = read_table(path)
    assert table.y[:, 0].tolist() == [y for _, y in ROWS]
    assert table.said[0] == 'columns are separated by semicolons'
    assert "'y' has decimal commas" in table.said


@pytest.mark.parametrize(
    ('name', 'shape', 'targets'),
    [
        ('BBBP', (2050, 1), ('p_np',)),
        ('clintox', (1484, 2), ('FDA_APPROVED', 'CT_TOX')),
        ('sider', (1427, 27), None),
        ('tox21', (7831, 12), None),
    ],
)
def test_real_files(data_root: Path, name: str, shape, targets):
    table = read_table(data_root / 'moleculenet' / f'{name}.csv')
    assert table.y.shape == shape
    assert table.info.smiles == 'smiles'
    assert table.info.classes == ('0', '1')
    assert targets in (None, table.info.targets)
    assert 'mol_id' not in table.info.targets


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'smiles': 'smile'}, r"nearest of \['smiles'\], got 'smile'"),
        ({'targets': ['y', 'yy']}, r"nearest of \['y'\], got 'yy'"),
        ({'targets': []}, 'one name or more'),
        ({'targets': ['y', 'y']}, "got 'y', which is used already"),
        ({'targets': 'smiles'}, "got 'smiles', which is used already"),
        ({'weights': 'y'}, "line 4: 'y' must be a weight, 0 or more"),
        ({'split_column': 'y'}, "line 2: 'y' must be one of .'train'"),
        ({'task': 'binary'}, 'two values'),
    ],
)
def test_bad_arguments(tmp_path: Path, arguments, message):
    path = write(tmp_path / 'a.csv')
    with pytest.raises(ValueError, match=message) as e:
        read_table(path, **arguments)
    assert '\n' not in str(e.value)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('smiles,y\n', 'must have rows below its header'),
        ('smiles,y\nC,1\nCC,2.5\nCCC,3\n', 'at least 10 molecules .*got 3'),
        ('smiles,y\n' + 'CCO,\n' * 20, r"got none: 'y' \(no values\)"),
        ('smiles\n' + 'CCO\n' * 20, 'must have a target, .*got none$'),
        (
            'smiles,y,y\n' + 'CO,1,2\nC,2,3\n' * 5,
            "csv' must .* names, .*'y' twice",
        ),
        ('smiles,y\n' + 'CCO,1\n' * 20, r"got none: 'y' \(one value, '1'\)"),
        ('CCO,1\n' + 'CC,2\n' * 20, 'below a line of names'),
        (
            'smiles,y\n' + 'CCO,1\nCC,2.5\n' * 9 + 'C,<1\n',
            "line 20: 'y' must be a finite number",
        ),
        (
            'smiles,split,y\n' + 'CCO,x,1\nCC,y,2.5\n' * 9,
            r"'split' \(a name of parts",
        ),
    ],
)
def test_bad_files(tmp_path: Path, text, message):
    path = tmp_path / 'a.csv'
    path.write_text(text)
    if 'parts' in message:
        assert any('parts' in said for said in read_table(path).said)
        return
    with pytest.raises(ValueError, match=message) as e:
        read_table(path)
    assert '\n' not in str(e.value)


def test_no_part_to_train_on(tmp_path: Path):
    path = write(tmp_path / 'a.csv', 'smiles,y,part', ',test')
    with pytest.raises(ValueError, match="with 'train' in it, got 'part'"):
        read_table(path, targets='y', split_column='part')
