"""The coverage of intervals, on a small run."""

import json

import pytest

from benchmarks.coverage.__main__ import main
from benchmarks.coverage.splits import SplitAgain


@pytest.fixture
def ran(data_root, tmp_path):
    def run():
        main(
            data_root / 'ogb',
            ('ogbg-molfreesolv', 'ogbg-molbace'),
            splits=1,
            members=2,
            epochs=1,
            divisions=3,
            results=tmp_path,
            docs=tmp_path,
            run_dir=tmp_path / 'runs',
        )
        return json.loads((tmp_path / 'coverage.json').read_text())

    return run


def test_small_run(ran, tmp_path, capsys):
    result = ran()
    assert len(result['trials']) == 4
    for trial in result['trials']:
        for label in ('single', 'ensemble'):
            parts = trial[label]
            assert len(parts) == (3 if trial['split'] == 'random' else 1)
            assert all(0.5 < part['coverage'] <= 1 for part in parts)
    page = (tmp_path / 'uncertainty.md').read_text()
    assert page.count('| molfreesolv |') == 2
    for name in ('coverage', 'reliability'):
        assert (tmp_path / 'images' / f'{name}.png').stat().st_size > 1000
    # What is done is not done again.
    capsys.readouterr()
    assert ran()['trials'] == result['trials']
    assert 'molfreesolv random' not in capsys.readouterr().out


def test_splits(data_root):
    parts = []
    for kind, seed in (('random', 0), ('random', 1), ('scaffold', 0)):
        data = SplitAgain(
            'ogbg-molfreesolv', kind, seed, root=data_root / 'ogb'
        )
        data.setup()
        sizes = {key: len(index) for key, index in data.splits.items()}
        assert sum(sizes.values()) == 642
        assert sizes['train'] in range(505, 520)
        parts.append(data.splits['test'].tolist())
    assert parts[0] != parts[1] != parts[2]
