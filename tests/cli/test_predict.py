"""The command ``gmoe predict MODEL new.csv``."""

import io
import os
from dataclasses import replace

import pandas as pd
import pytest

from gmoe import cli
from gmoe.datasets.molecules.features import MoleculeFeatures
from tests import processes
from tests.molecules import tiny

TABLE = 'id,smiles\n1,CCO\n2,C1CC\n3,\n4,c1ccccc1O\n'


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    return tiny.write_run(tmp_path_factory.mktemp('predict') / 'run')


@pytest.fixture
def table(tmp_path):
    path = tmp_path / 'new.csv'
    path.write_text(TABLE)
    return path


def predict(capsys, *arguments):
    cli.run(['predict', *map(str, arguments)])
    captured = capsys.readouterr()
    return pd.read_csv(io.StringIO(captured.out)), captured.err


def test_one_row_for_each(run, table, capsys):
    out, said = predict(capsys, run, table)
    assert out['id'].tolist() == [1, 2, 3, 4]
    assert out['solubility_predicted'].notna().tolist() == [1, 0, 0, 1]
    assert out['reason'].notna().tolist() == [0, 1, 1, 0]
    low, high = out['solubility_low'], out['solubility_high']
    assert (low < high)[[0, 3]].all()
    assert out['similarity'][0] == 1
    assert '4 molecules, 2 of them refused' in said


def test_interval(run, table, capsys):
    widths = []
    for level in ('0.5', '0.9'):
        out, _ = predict(capsys, run, table, '--interval', level)
        widths.append(out['solubility_high'][0] - out['solubility_low'][0])
    assert widths[0] < widths[1]


def test_file(run, table, tmp_path, capsys):
    expected, _ = predict(capsys, run, table)
    path = tmp_path / 'out.csv'
    options = [f'--output={path}', '--batch_size=1', '--num_workers=2']
    cli.run(['predict', str(run), str(table), *options])
    assert capsys.readouterr().out == ''
    assert pd.read_csv(path).equals(expected)
    # Over the input itself.
    cli.run(['predict', str(run), str(table), f'--output={table}'])
    assert pd.read_csv(table).equals(expected)
    _, said = predict(capsys, run, table)
    assert "'reason' of the input is replaced" in said


def test_smiles(run, capsys):
    out, _ = predict(capsys, run, 'OCC', 'C(O)C', '[Na+].[Cl-]')
    values = out['solubility_predicted']
    assert values[0] == values[1] != values[2]


def test_a_refused_string_has_its_row(run, capsys):
    out, said = predict(capsys, run, 'CCO', 'C1CC')
    assert out['smiles'].tolist() == ['CCO', 'C1CC']
    assert out['solubility_predicted'].notna().tolist() == [1, 0]
    assert out['reason'].str.contains('no SMILES string').tolist()[1]
    assert '2 molecules, 1 of them refused' in said


@pytest.fixture
def warm(tmp_path):
    """A network that reads the column T, and nothing else, beside graphs."""
    settings = MoleculeFeatures([], ['T']).to_dict()
    info = replace(tiny.REGRESSION, features=settings)
    predictor = tiny.make_predictor(info, graph_dims=1)
    path = tmp_path / 'warm' / 'checkpoints' / 'best.ckpt'
    tiny.write_checkpoint(path, predictor, info)
    return tmp_path / 'warm'


def test_columns_beside_molecules(warm, tmp_path, capsys):
    path = tmp_path / 'new.csv'
    path.write_text('T,smiles\n1,CCO\n2,OCC\n,CCO\nwarm,CCO\n1,C(O)C\n')
    out, said = predict(capsys, warm, path)
    values = out['solubility_predicted']
    assert values[0] == values[4] != values[1]
    assert values.notna().tolist() == [1, 1, 1, 0, 1]
    assert out['reason'][3] == "'T' is no number: 'warm'"
    assert "read beside the molecules: ['T']" in said
    folder = tmp_path / 'exported'
    cli.run(['export', str(warm), str(folder)])
    capsys.readouterr()
    again, _ = predict(capsys, folder, path)
    assert again.equals(out)
    path.write_text('T,smiles\n')
    assert len(predict(capsys, warm, path)[0]) == 0
    path.write_text('Temp,t,smiles\n1,2,CCO\n')
    for arguments, match in (
        ([path], "one column 'T'.*'t'"),
        (['CCO'], "a table with \\['T'\\].*'CCO'"),
    ):
        with pytest.raises(ValueError, match=match):
            predict(capsys, warm, *arguments)


def test_names_of_columns_only(run, tmp_path, capsys):
    path = tmp_path / 'new.csv'
    path.write_text('id,smiles\n')
    out, _ = predict(capsys, run, path)
    assert len(out) == 0
    assert 'solubility_predicted' in out


def test_several_and_classes(tmp_path, table, capsys):
    for i in range(2):
        tiny.write_run(tmp_path / f'member_{i}', tiny.BINARY, seed=i)
    out, said = predict(capsys, tmp_path, table, '--calibrate', 'isotonic')
    assert set(out['toxic_predicted'].dropna()) <= {'no', 'yes'}
    assert out['toxic_probability'].between(0, 1)[[0, 3]].all()
    assert 'toxic_std' in out
    assert 'an ensemble of 2 networks' in said
    assert "probability is that of 'yes'" in said


def test_pipes(run, table, tmp_path):
    """Messages leave the table alone, and who reads it may stop early."""

    def start(path, **kwargs):
        arguments = 'gmoe.cli', 'predict', run, '-'
        return processes.start(tmp_path, *arguments, stdin=path, **kwargs)

    errors = tmp_path / 'stderr'
    assert start(table).wait(120) == 0, errors.read_text()
    lines = (tmp_path / 'stdout').read_text().splitlines()
    assert [line.split(',')[0] for line in lines] == ['id', *'1234']
    assert '4 molecules' in errors.read_text()
    errors.unlink()
    # More than a pipe holds.
    table.write_text(TABLE + '5,CCO\n' * 5_000)
    os.mkfifo(tmp_path / 'pipe')
    process = start(table, stdout='pipe')
    with open(tmp_path / 'pipe') as pipe:
        assert pipe.readline().startswith('id,smiles,')
    assert process.wait(120) == 0
    assert 'Traceback' not in errors.read_text()


def test_closed_standard_streams(run, table, refused, monkeypatch):
    monkeypatch.setattr('sys.stdin', None)
    assert 'input is closed' in refused('predict', run, '-')[-1]
    monkeypatch.setattr('sys.stdout', None)
    assert "'output' must be a file" in refused('predict', run, table)[-1]


def test_what_is_refused(run, table, tmp_path, refused, capsys):
    (tmp_path / 'folder').mkdir()
    out = tmp_path / 'out.csv'
    before = sorted(tmp_path.iterdir())
    missing = tmp_path / 'other.csv'
    missing.write_text('smile,x\n1,2\n')
    ragged = tmp_path / 'ragged.csv'
    ragged.write_text('smiles\nC\nC,N\n')
    bare = tmp_path / 'bare.csv'
    bare.write_text('CCO\nCCN\n')
    plain = tiny.write_run(tmp_path / 'plain', count=None)
    for arguments, match in (
        ((run, table, '--interval', '90'), "'interval' must be a share"),
        ((run, table, '--calibrate', 'x'), "'calibrate' must be one of"),
        ((run, table, '--batch_size', '0'), "'batch_size' must be"),
        ((run, table, '--num_workers', '-1'), "'num_workers' must be"),
        ((run, table, '--device', 'x'), "'device' must be"),
        ((run, table, '--device', 'meta'), "'device' must be"),
        ((run, table, '--output', tmp_path), "'output' must be a file"),
        ((run, table, '--none', '1'), '--none'),
        ((run, missing), "nearest of ['smile']"),
        ((run, bare), "the SMILES string 'CCO'"),
        ((run, ragged, f'--output={out}'), 'line 3 must have 1 cells'),
        ((run, 'none.csv'), 'there is no such file'),
        ((tmp_path / 'folder', table), 'but nothing'),
        ((tmp_path / 'none', table), "'model' must be"),
        (('user/none', table), 'there is no such folder, and the hub'),
        ((run, 'C1CC'), 'as SMILES it is no SMILES string'),
        ((plain, table, '--interval', '0.9'), "'interval' must be left out"),
        ((run,), 'input'),
    ):
        lines = refused('predict', *arguments)
        assert lines[-1].startswith('gmoe: error: '), lines
        assert match in lines[-1], lines
        # Refused before anything is said, unless it is in a later row.
        assert len(lines) == 1 or arguments[1] == ragged
        assert not out.exists()
    made = {missing, ragged, bare, plain}
    assert sorted(set(tmp_path.iterdir()) - made) == before
