"""The rows of a table that are left out, beside the run."""

from types import SimpleNamespace

import pytest

from gmoe.datasets.molecules import Skipped
from gmoe.training.callbacks import SkippedRows


def trainer(dataset, is_first=True):
    data = SimpleNamespace(dataset=dataset)
    return SimpleNamespace(datamodule=data, is_global_zero=is_first)


@pytest.mark.parametrize(
    ('skipped', 'text'),
    [
        ([], 'row,smiles,reason\n'),
        (
            [Skipped(3, 'C1,C', 'no, ring')],
            'row,smiles,reason\n3,"C1,C","no, ring"\n',
        ),
    ],
)
def test_file(skipped, text, tmp_path):
    dataset = SimpleNamespace(skipped=skipped)
    SkippedRows(tmp_path / 'run').on_train_start(trainer(dataset), None)
    assert (tmp_path / 'run/skipped.csv').read_text() == text


def test_nothing_to_say(tmp_path):
    rows = SkippedRows(tmp_path)
    rows.on_train_start(trainer(object()), None)
    rows.on_train_start(SimpleNamespace(datamodule=None), None)
    other = trainer(SimpleNamespace(skipped=[]), is_first=False)
    rows.on_train_start(other, None)
    assert not list(tmp_path.iterdir())
