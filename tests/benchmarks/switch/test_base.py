"""The small dense model, on a few dialogues."""

import json

import torch
from transformers import AutoTokenizer, T5ForConditionalGeneration

from benchmarks.switch import base, pretraining
from tests.benchmarks.switch.samsum_files import write_samsum

SIZES = {'d_model': 16, 'd_kv': 8, 'd_ff': 32, 'num_heads': 2}


def test_it_is_made_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(
        pretraining,
        'SIZES',
        {**SIZES, 'num_layers': 1, 'num_decoder_layers': 1},
    )
    monkeypatch.setattr(base, 'VOCAB_SIZE', 400)
    root, output = write_samsum(tmp_path), tmp_path / 'small'
    runs = tmp_path / 'runs'

    def make():
        base.main(root, output, runs, rows=8, pretraining_epochs=1, epochs=2)
        return T5ForConditionalGeneration.from_pretrained(output)

    model = make()

    assert model.dtype == torch.float16
    assert model.config.dropout_rate == 0.1
    tokenizer = AutoTokenizer.from_pretrained(output)
    ids = tokenizer('<speaker1>: Hi', add_special_tokens=False)['input_ids']
    assert tokenizer.decode(ids) == '<speaker1>: hi'
    made = json.loads((output / 'made.json').read_text())
    assert [line['epoch'] for line in made['epochs']] == [1, 2]
    assert all('eval_rouge1' in line for line in made['epochs'])

    # What is pre-trained is taken, and the same comes out.
    weights = tmp_path / 'pretrained' / 'model.safetensors'
    before = weights.stat()
    again = make()
    after = weights.stat()
    assert before.st_mtime_ns == after.st_mtime_ns
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
