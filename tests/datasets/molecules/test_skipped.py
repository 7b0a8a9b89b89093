import csv

from gmoe.datasets.molecules.skipped import Skipped, write_skipped


def test_same_after_reading(tmp_path):
    path = tmp_path / 'run' / 'skipped.csv'
    rows = [Skipped(3, 'C(', 'no, "none"'), Skipped(9, 'é\udce9', 'empty')]
    write_skipped(path, rows)
    found = list(csv.reader(path.open(encoding='utf-8')))
    assert found[0] == ['row', 'smiles', 'reason']
    assert found[1] == ['3', 'C(', 'no, "none"']
    assert found[2] == ['9', 'é?', 'empty']
    write_skipped(path, [])
    assert path.read_text() == 'row,smiles,reason\n'
    assert [p.name for p in path.parent.iterdir()] == ['skipped.csv']
