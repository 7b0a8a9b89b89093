"""Models that summarize, and those that cannot."""

import pytest

pytest.importorskip('transformers', reason="the extra 'text' is missing")
pytest.importorskip('peft', reason="the extra 'text' is missing")

import torch
from peft import LoraConfig, get_peft_model
from transformers import BertConfig, BertModel, T5Model

from gmoe.text import SummaryTraining
from gmoe.text.summaries.seq2seq import check_seq2seq, is_adapted, make_room
from gmoe.text.summaries.speakers import SPEAKER_TOKENS
from gmoe.text.summaries.tokenizer import train_tokenizer
from tests.text.summaries.test_generation import tiny_bart
from tests.text.summaries.tiny import tiny_config, tiny_t5, tiny_tokenizer

SETTINGS = SummaryTraining()


def lora(model):
    return get_peft_model(model, LoraConfig(target_modules=['q', 'v']))


@pytest.fixture(scope='module')
def tokenizer():
    return tiny_tokenizer()


def test_models_with_an_encoder_and_a_decoder(tokenizer):
    short = SummaryTraining(max_input_tokens=64, max_summary_tokens=64)
    check_seq2seq(tiny_t5(), tokenizer, SETTINGS)
    check_seq2seq(tiny_bart(), tokenizer, short)
    model = lora(tiny_t5())
    check_seq2seq(model, tokenizer, SETTINGS)
    assert is_adapted(model)
    assert not is_adapted(tiny_t5())


@pytest.mark.parametrize(
    ('model', 'name'),
    [
        (None, 'NoneType'),
        ('t5-small', 'str'),
        (torch.nn.Linear(1, 1), 'Linear'),
        (T5Model(tiny_config()), 'T5Model'),
        (
            BertModel(
                BertConfig(
                    vocab_size=9,
                    hidden_size=4,
                    num_hidden_layers=1,
                    num_attention_heads=1,
                    intermediate_size=4,
                )
            ),
            'BertModel',
        ),
    ],
)
def test_other_models(tokenizer, model, name):
    with pytest.raises(ValueError, match=f"'model' must be a.*got '{name}'"):
        check_seq2seq(model, tokenizer, SETTINGS)


@pytest.mark.parametrize('settings', [{}, {'epochs': 3}, None])
def test_other_settings(tokenizer, settings):
    with pytest.raises(ValueError, match="'settings' must be a SummaryTrain"):
        check_seq2seq(tiny_t5(), tokenizer, settings)


def test_tokenizers_of_others(tokenizer):
    for other in (None, 't5-small', tokenizer.backend_tokenizer):
        with pytest.raises(ValueError, match="'tokenizer' must be a token"):
            check_seq2seq(tiny_t5(), other, SETTINGS)
    for name in ('pad_token_id', 'eos_token_id'):
        model = tiny_t5(**{name: 7})
        with pytest.raises(ValueError, match=f"have the '{name}' of the mod"):
            check_seq2seq(model, tokenizer, SETTINGS)


@pytest.mark.parametrize('name', ['max_input_tokens', 'max_summary_tokens'])
def test_more_tokens_than_positions(tokenizer, name):
    most = {'max_input_tokens': 64, 'max_summary_tokens': 64, name: 65}
    with pytest.raises(ValueError, match=f"'{name}' must be at most 64"):
        check_seq2seq(tiny_bart(), tokenizer, SummaryTraining(**most))


def test_room_for_speakers():
    tokenizer = train_tokenizer(['some text'] * 9, 265)
    size = len(tokenizer)
    model = tiny_t5(vocab_size=size)
    before = model.shared.weight.detach().clone()
    make_room(model, tokenizer, 'names', 0)
    assert len(tokenizer) == model.shared.num_embeddings == size
    state = torch.get_rng_state()
    make_room(model, tokenizer, 'tokens', 0)
    assert torch.equal(torch.get_rng_state(), state)
    assert len(tokenizer) == model.shared.num_embeddings == size + 16
    assert model.config.vocab_size == size + 16
    assert torch.equal(model.shared.weight[:size], before)
    ids = tokenizer(' '.join(SPEAKER_TOKENS[:2]))['input_ids']
    assert {size, size + 1} < set(ids)
    # The same vectors each time, so that a training can go on.
    torch.manual_seed(5)
    again = tiny_t5(vocab_size=size)
    torch.manual_seed(6)
    make_room(again, tokenizer, 'tokens', 0)
    assert torch.equal(again.shared.weight, model.shared.weight)


def test_too_few_vectors(tokenizer):
    message = f'knows 300 tokens, got one of {len(tokenizer)}'
    with pytest.raises(ValueError, match=message):
        make_room(tiny_t5(vocab_size=300), tokenizer, 'names', 0)
    model = lora(tiny_t5(vocab_size=300))
    with pytest.raises(ValueError, match=r'model\.resize_token_embeddings'):
        make_room(model, tokenizer, 'tokens', 0)
