"""The command ``gmoe explain MODEL new.csv``."""

import sys

import pytest

pytest.importorskip('rdkit')

from gmoe import cli
from gmoe.molecules.prediction_input import PredictionInput
from tests.molecules import tiny


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    return tiny.write_run(tmp_path_factory.mktemp('explain') / 'run')


def refused(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, 'argv', ['gmoe', 'explain', *map(str, arguments)])
    with pytest.raises(SystemExit) as error:
        cli.main()
    assert error.value.code == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    return said


def test_a_table(run, tmp_path, capsys):
    table = tmp_path / 'new.csv'
    table.write_text('id,smiles\n1,CCO\n2,C1CC\n3,\n4,C\n')
    out = tmp_path / 'a' / 'out'
    cli.run(['explain', str(run), str(table), '--output', str(out)])
    said = capsys.readouterr().err
    assert '2 molecules were refused: skipped.csv' in said
    skipped = (out / 'skipped.csv').read_text().splitlines()
    assert [line.split(',')[0] for line in skipped] == ['row', '1', '2']
    names = {path.name for path in (out / 'molecules').iterdir()}
    assert {'00000_experts.svg', '00003_attribution.png'} <= names
    assert 'How much each expert is used' in (out / 'report.html').read_text()


def test_a_long_table_is_not_kept(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('gmoe.cli.explain.MOST', 2)
    read, molecules = [], PredictionInput.molecules

    def recorded(self, rows):
        read.append(len(rows))
        return molecules(self, rows)

    monkeypatch.setattr(PredictionInput, 'molecules', recorded)
    table = tmp_path / 'new.csv'
    table.write_text('smiles\n' + 'CCO\n' * 600)
    out = tmp_path / 'out'
    cli.run(['explain', str(run), str(table), '--output', str(out)])
    assert read == [2]
    assert 'the first 2 of 600 molecules' in capsys.readouterr().err


def test_refusals(run, tmp_path, monkeypatch, capsys):
    out = tmp_path / 'b' / 'out'
    said = refused(monkeypatch, capsys, run, 'C1CC', '--output', out)
    assert "'C1CC'" in said
    said = refused(monkeypatch, capsys, run, 'CCO', 'C1CC', '--output', out)
    assert "'C1CC'" in said
    table = tmp_path / 'new.csv'
    table.write_text('smiles\nC1CC\n')
    said = refused(monkeypatch, capsys, run, table, '--output', out)
    assert "'input' must have a molecule" in said
    arguments = (run, 'CCO', '--target', 'x', '--output', out)
    assert "'target' must be" in refused(monkeypatch, capsys, *arguments)
    said = refused(monkeypatch, capsys, run, 'CCO', '--output', tmp_path)
    assert "'output' must be a new or an empty folder" in said
    # Nothing is left half-made.
    assert [path.name for path in tmp_path.iterdir()] == ['new.csv']
