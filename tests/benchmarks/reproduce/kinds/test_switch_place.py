"""Where the model is that the study starts from, and its rows."""

import json

import pytest

from benchmarks.reproduce.kinds import switch_place
from benchmarks.reproduce.kinds.switch_place import fitting, place
from benchmarks.reproduce.tables import load_table


@pytest.fixture
def small(tmp_path, monkeypatch):
    folder = tmp_path / 'small'
    monkeypatch.setattr(switch_place, 'SMALL', folder)
    return folder


def write_model(folder, **config):
    folder.mkdir()
    (folder / 'config.json').write_text(json.dumps(config))
    (folder / 'model.safetensors').touch()
    return str(folder)


def write_switch(folder, num_experts):
    kind = 'switch_transformers'
    return write_model(folder, model_type=kind, num_experts=num_experts)


def rows(base):
    """The rows that fit, and those that do not."""
    kept, left_out = fitting(load_table('switch').change({'base': base}).cells)
    return {cell.row for cell in kept}, set(left_out)


def test_place(small, tmp_path):
    with pytest.raises(FileNotFoundError, match='benchmarks.switch.base make'):
        place('small', 8)
    small.mkdir()
    (small / 'config.json').touch()
    assert place('small', 8) == str(small)
    assert place('google/switch-base-8', 16) == 'google/switch-base-16'
    assert place('google/switch-base-8', 8) == 'google/switch-base-8'
    assert place('someone/t5-samsum-2', 16) == 'someone/t5-samsum-2'
    folder = tmp_path / 'mine-8'
    folder.mkdir()
    assert place(str(folder), 16) == str(folder)
    other = tmp_path / 'mine-16'
    other.mkdir()
    assert place(f'{folder}/', 16) == str(other)
    assert place(str(folder), 8) == str(folder)


def test_rows_of_a_dense_model(small, tmp_path):
    assert write_model(small, model_type='t5') == str(small)
    for base in ('small', str(small)):
        kept, left_out = rows(base)
        assert {'dense', 'linear-topk-16', 'lead-3'} < kept
        assert len(left_out) == 6
        assert all(row.endswith('-anew') for row in left_out)


def test_rows_of_switch_transformers(tmp_path):
    base = write_switch(tmp_path / 'mine-8', 8)
    kept, left_out = rows(base)
    assert {'linear-topk-8-anew', 'transformers-8', 'lead-3'} < kept
    assert left_out - {'dense'} == {row for row in left_out if '-16' in row}
    assert 'dense' in left_out
    write_switch(tmp_path / 'mine-16', 16)
    assert rows(base)[1] == {'dense'}


def test_rows_of_names_on_the_hub(monkeypatch):
    asked = []

    def config(name):
        asked.append(name)
        number = int(name.rpartition('-')[2])
        return {'model_type': 'switch_transformers', 'num_experts': number}

    monkeypatch.setattr(switch_place, '_config', config)
    assert rows('google/switch-base-8')[1] == {'dense'}
    assert asked == ['google/switch-base-8', 'google/switch-base-16']


def test_models_that_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    (tmp_path / 'empty').mkdir()
    half = tmp_path / 'half'
    half.mkdir()
    (half / 'config.json').write_text('{}')
    for base, why in (
        (str(tmp_path / 'none'), 'no such folder'),
        (str(tmp_path / 'empty'), 'it is empty'),
        (str(half), 'it has no weights'),
        (write_model(tmp_path / 'bert', model_type='bert'), "is 'bert'"),
    ):
        message = f"'model' must be small.*config.json, weights.*{why}"
        with pytest.raises(ValueError, match=message):
            rows(base)
    for content in ('[]', '{', ''):
        (tmp_path / 'bert' / 'config.json').write_text(content)
        with pytest.raises(ValueError, match="'model' must be small"):
            rows(str(tmp_path / 'bert'))


def test_other_tables_stay():
    cells = list(load_table('table2').cells)
    assert fitting(cells) == (cells, [])
