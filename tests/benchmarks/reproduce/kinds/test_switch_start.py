"""What each row of the study starts from."""

import pytest
import torch
from transformers import (
    AutoTokenizer,
    SwitchTransformersConfig,
    SwitchTransformersForConditionalGeneration,
    T5ForConditionalGeneration,
)

from benchmarks.reproduce.kinds.switch_start import own_switch, start
from gmoe.text import SwitchMoeForConditionalGeneration
from tests.benchmarks.switch.samsum_files import write_t5


@pytest.fixture(scope='module')
def t5(tmp_path_factory):
    return write_t5(tmp_path_factory.mktemp('t5'))


def settings(base, router='linear_softmax_topk', num_experts=3):
    return {
        'base': base,
        'router': router,
        'num_experts': num_experts,
        'rank': 2,
    }


@pytest.mark.parametrize(
    ('router', 'kind'),
    [
        ('linear_softmax_topk', SwitchMoeForConditionalGeneration),
        ('attention_sparsemax', SwitchMoeForConditionalGeneration),
        ('transformers', SwitchTransformersForConditionalGeneration),
        ('dense', T5ForConditionalGeneration),
    ],
)
def test_of_a_dense_model(t5, router, kind):
    model, tokenizer = start(settings(t5, router))

    base = model.get_base_model()
    assert isinstance(base, kind)
    assert base.dtype == torch.float32
    assert len(tokenizer) == len(AutoTokenizer.from_pretrained(t5))
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert all('lora_' in name or '.router.' in name for name in trained)
    assert any('.router.' in name for name in trained) is (router != 'dense')
    ends = ('wi', 'wo', 'q', 'v')
    adapted = {n.split('.lora_')[0].rpartition('.')[2] for n in trained}
    assert set(ends) <= adapted
    # All feed-forward networks have become mixtures.
    experts = {n for n in trained if 'expert_' in n and 'lora_A' in n}
    assert len(experts) == (0 if router == 'dense' else 4 * 3 * 2)


def test_own_switch_computes_what_the_dense_model_does(t5):
    dense = T5ForConditionalGeneration.from_pretrained(
        t5, dtype=torch.float32
    ).eval()
    torch.manual_seed(0)
    model = own_switch(dense, 3)
    ids = torch.randint(3, 300, (2, 7))

    # Its experts differ by a little noise, their outputs are weighted by a
    # probability, and all else is the same.
    routers = [m for n, m in model.named_modules() if n.endswith('router')]
    assert len(routers) == 4
    for router in routers:
        # Scores so far apart that the probability is 1.
        router.classifier.weight.data.mul_(1e4)
    with torch.no_grad():
        found = model(input_ids=ids, labels=ids).logits
        wanted = dense(input_ids=ids, labels=ids).logits
    assert (found - wanted).abs().max() < 0.05 * wanted.std()


def test_of_a_switch_transformer(tmp_path, t5):
    config = SwitchTransformersConfig(
        vocab_size=400,
        d_model=16,
        d_kv=8,
        d_ff=32,
        num_layers=2,
        num_heads=2,
        num_experts=3,
        num_sparse_encoder_layers=1,
        num_sparse_decoder_layers=1,
        decoder_start_token_id=0,
    )
    source = SwitchTransformersForConditionalGeneration(config)
    source.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(t5).save_pretrained(tmp_path)
    base = str(tmp_path)

    model, _ = start(settings(base))
    name = 'encoder.block.1.layer.1.mlp.router'
    router = model.get_base_model().get_submodule(name)
    score = source.get_submodule(name).classifier.weight
    kept = router.original_module.score_gate.weight
    assert torch.equal(kept, score.t())
    reset, _ = start({**settings(base), 'keep_scores': False})
    router = reset.get_base_model().get_submodule(name)
    assert not torch.equal(router.original_module.score_gate.weight, score.t())
    own, _ = start(settings(base, 'transformers'))
    assert type(own.get_base_model()) is type(source)

    for router in ('linear_softmax_topk', 'transformers'):
        source.half().save_pretrained(tmp_path / 'half')
        AutoTokenizer.from_pretrained(t5).save_pretrained(tmp_path / 'half')
        wide, _ = start(settings(str(tmp_path / 'half'), router))
        assert {p.dtype for p in wide.parameters()} == {torch.float32}

    with pytest.raises(ValueError, match="'model' must have 4 experts .* 3"):
        start(settings(base, num_experts=4))
    with pytest.raises(ValueError, match="must leave out 'dense'"):
        start(settings(base, 'dense'))
