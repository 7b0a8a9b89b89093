"""Models that no mixture can be made of."""

import json

import pytest
import torch

reason = "the extra 'text' is not installed"
transformers = pytest.importorskip('transformers', reason=reason)

from safetensors.torch import load_file, save_file  # noqa: E402

from gmoe.text.switch.source import load_source  # noqa: E402
from tests.text.switch.tiny import (  # noqa: E402
    moe_model,
    switch_model,
    t5_model,
)

SWITCH = transformers.SwitchTransformersForConditionalGeneration


def test_models_names_and_folders(tmp_path, monkeypatch):
    model = switch_model()
    assert load_source(model, SWITCH) is model
    model.save_pretrained(tmp_path / 'switch')
    monkeypatch.setenv('HOME', str(tmp_path))
    for source in (tmp_path / 'switch', '~/switch'):
        loaded = load_source(source, SWITCH)
        assert torch.equal(loaded.shared.weight, model.shared.weight)


@pytest.mark.parametrize('make', [t5_model, moe_model])
def test_other_models(make, tmp_path):
    model = make()
    with pytest.raises(ValueError, match=f'got .{type(model).__name__}'):
        load_source(model, SWITCH)
    model.save_pretrained(tmp_path)
    kind = model.config.model_type
    with pytest.raises(ValueError, match=f"its architecture is '{kind}'"):
        load_source(tmp_path, SWITCH)


@pytest.mark.parametrize(
    'source', [None, 3, torch.nn.Linear(1, 1), 'x' * 5000]
)
def test_no_models(source):
    with pytest.raises(ValueError, match="'source' must be a SwitchTrans"):
        load_source(source, SWITCH)


def test_folders_that_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match='there is no such folder'):
        load_source(tmp_path / 'none', SWITCH)
    switch_model().save_pretrained(tmp_path)
    weights = tmp_path / 'model.safetensors'
    tensors = load_file(weights)
    name = 'encoder.block.0.layer.0.SelfAttention.q.weight'
    save_file({k: v for k, v in tensors.items() if k != name}, weights)
    with pytest.raises(ValueError, match=f"are missing, such as '{name}'"):
        load_source(tmp_path, SWITCH)
    weights.write_bytes(b'no such file')
    with pytest.raises(ValueError, match="'source' must be a SwitchTrans"):
        load_source(tmp_path, SWITCH)
    weights.unlink()
    torch.save(tensors, tmp_path / 'pytorch_model.bin')
    with pytest.raises(ValueError, match='in a pickle, pytorch_model.bin'):
        load_source(tmp_path, SWITCH)


def test_settings_that_cannot_be_read(tmp_path):
    switch_model().save_pretrained(tmp_path)
    config = tmp_path / 'config.json'
    settings = json.loads(config.read_text())
    config.write_text('{')
    with pytest.raises(ValueError, match="'source' must be a SwitchTrans"):
        load_source(tmp_path, SWITCH)
    config.write_text(json.dumps({**settings, 'd_model': 'wide'}))
    with pytest.raises(ValueError, match="'source' must be a SwitchTrans"):
        load_source(tmp_path, SWITCH)
