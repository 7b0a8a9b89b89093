"""A small dataset in OGB's layout, for tests to alter."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

NAME = 'ogbg-moltox21'
NUM_TASKS = 12

# A chain of three atoms, a single atom, and a bond.
TABLES = {
    'raw/num-node-list': ['3', '1', '2'],
    'raw/num-edge-list': ['2', '0', '1'],
    'raw/node-feat': [f'{i},0,4,5,3,0,2,0,{i % 2}' for i in range(6)],
    'raw/edge': ['0,1', '1,2', '0,1'],
    'raw/edge-feat': ['0,0,0', '1,0,1', '3,5,1'],
    'raw/graph-label': [
        '0.0,1.0' + ',' * 10,
        '1.0' + ',0.0' * 11,
        '1' + ',' * 11,
    ],
    'mapping/mol': ['smiles,mol_id', 'CCO,a', 'NA,b', '"C,C",c'],
    'split/scaffold/train': ['0'],
    'split/scaffold/valid': ['2'],
    'split/scaffold/test': ['1'],
}


def write_tables(folder: Path, tables: dict[str, list[str]]) -> None:
    for name, lines in tables.items():
        path = folder / f'{name}.csv.gz'
        path.parent.mkdir(parents=True, exist_ok=True)
        text = ''.join(f'{line}\n' for line in lines)
        path.write_bytes(gzip.compress(text.encode(), mtime=0))


@pytest.fixture
def write_dataset() -> Callable[..., Path]:
    """Writes the dataset, with other tables where some are given."""

    def write(folder: Path, **tables: list[str]) -> Path:
        write_tables(folder, {**TABLES, **tables})
        return folder

    return write


@pytest.fixture
def root(tmp_path: Path, write_dataset: Callable[..., Path]) -> Path:
    """A root with the small dataset as `ogbg-moltox21`."""
    write_dataset(tmp_path / 'root' / 'ogbg_moltox21')
    return tmp_path / 'root'


@pytest.fixture(autouse=True)
def no_home(
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Keeps caches of small datasets out of the user's folder."""
    if 'data_root' not in request.fixturenames:
        folder = tmp_path_factory.mktemp('xdg')
        monkeypatch.setenv('XDG_CACHE_HOME', str(folder))
        monkeypatch.delenv('GMOE_CACHE_DIR')
