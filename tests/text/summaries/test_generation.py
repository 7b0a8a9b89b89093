"""What is generated in batches is what is written one token at a time."""

import pytest

pytest.importorskip('transformers', reason="the extra 'text' is missing")

import torch
from transformers import BartConfig, BartForConditionalGeneration

from gmoe.text.summaries.generation import generate
from tests.text.summaries.tiny import tiny_t5, tiny_tokenizer


@pytest.fixture(scope='module')
def tokenizer():
    return tiny_tokenizer()


def tiny_bart():
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=400,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_position_embeddings=64,
        init_std=0.5,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=1,
        decoder_start_token_id=1,
        forced_eos_token_id=None,
    )
    return BartForConditionalGeneration(config)


def slowly(model, ids, max_tokens):
    """The likeliest token, again and again, without a cache."""
    out = [model.config.decoder_start_token_id]
    with torch.no_grad():
        while len(out) <= max_tokens and out[1:][-1:] != [1]:
            logits = model.eval()(
                input_ids=torch.tensor([ids]),
                decoder_input_ids=torch.tensor([out]),
                use_cache=False,
            ).logits
            out.append(logits[0, -1].argmax().item())
    return out[1:]


def rows_of(lengths):
    generator = torch.Generator().manual_seed(0)
    texts = [
        torch.randint(3, 400, (n,), generator=generator).tolist()
        for n in lengths
    ]
    return [{'input_ids': t, 'attention_mask': [1] * len(t)} for t in texts]


@pytest.mark.parametrize('make', [tiny_t5, tiny_bart])
def test_against_one_token_at_a_time(tokenizer, make):
    model = make().double()
    if make is tiny_t5:  # Else it writes but one token.
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(3)
    rows = rows_of([9, 3, 20, 1, 12])
    found = generate(model, tokenizer, rows, 2, 8, 1)
    expected = [slowly(model, row['input_ids'], 8) for row in rows]
    assert found == expected
    assert len({tuple(tokens) for tokens in found}) > 2
    assert max(map(len, found)) == 8


def test_ends_and_padding(tokenizer):
    model = tiny_t5()
    rows = rows_of([4, 4, 4])
    seen = []

    def fake(**kwargs):
        seen.append((kwargs['max_length'], kwargs['num_beams']))
        assert not model.training
        return torch.tensor(
            [[0, 7, 1, 0, 0], [0, 7, 8, 9, 0], [0, 1, 0, 0, 0]]
        )

    model.generate = fake
    model.train()
    out = generate(model, tokenizer, rows, 3, 10, 4)
    assert out == [[7, 1], [7, 8, 9], [1]]
    assert seen == [(11, 4)]
    assert model.training


def test_nothing_to_write(tokenizer):
    assert generate(tiny_t5(), tokenizer, [], 2, 8, 1) == []
