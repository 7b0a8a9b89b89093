"""Mixtures made of a Switch Transformer or a T5."""

import pytest
import torch

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)

from gmoe.routing import collect_routing  # noqa: E402
from gmoe.text import SwitchMoeForConditionalGeneration  # noqa: E402
from tests.text.switch.tiny import (  # noqa: E402
    BATCH,
    IDS,
    LABELS,
    MASK,
    ROUTERS,
    moe_model,
    switch_model,
    t5_model,
)

from_switch = SwitchMoeForConditionalGeneration.from_switch
upcycle = SwitchMoeForConditionalGeneration.upcycle


@pytest.mark.parametrize('router', ROUTERS)
def test_from_switch(router, tmp_path):
    source = switch_model()
    source.save_pretrained(tmp_path)
    model = from_switch(tmp_path, router, dropout_rate=0.25)
    assert model.config.router == router
    assert model.config.dropout_rate == 0.25
    assert model.encoder.block[0].layer[0].dropout.p == 0.25
    old, new = source.state_dict(), model.state_dict()
    same = {name for name in old if '.router.' not in name}
    assert same == {name for name in new if '.router.' not in name}
    assert all(torch.equal(old[name], new[name]) for name in same)
    scores = [name for name in new if name.endswith('score_gate.weight')]
    assert len(scores) == (3 if router.startswith('linear') else 0)
    for name in scores:
        kept = old[name.replace('score_gate', 'classifier')]
        assert torch.equal(new[name], kept.t())
    assert model.lm_head.weight is model.shared.weight
    assert not model.training
    model.train()(**BATCH).loss.backward()


def test_scores_that_are_not_kept():
    source = switch_model()
    model = from_switch(source, keep_scores=False)
    weight = model.encoder.block[1].layer[1].mlp.router.score_gate.weight
    assert 0.01 < weight.std() < 0.03
    with pytest.raises(ValueError, match="'keep_scores' must be False or No"):
        from_switch(source, 'attention_sparsemax', keep_scores=True)
    with pytest.raises(ValueError, match="'keep_scores' must be one of"):
        from_switch(source, keep_scores='yes')
    with pytest.raises(ValueError, match='has a bias'):
        from_switch(switch_model(router_bias=True))


@pytest.mark.parametrize(
    'name', ['num_experts', 'encoder_moe_layers', 'd_model', 'top_k']
)
def test_settings_that_the_weights_decide_on(name):
    with pytest.raises(ValueError, match=f"must be settings .*got '{name}'"):
        from_switch(switch_model(), **{name: 2})
    with pytest.raises(ValueError, match="'experts_per_token' must be an int"):
        from_switch(switch_model(), experts_per_token=5)


@pytest.mark.parametrize('router', ROUTERS)
def test_an_upcycled_model_begins_as_it_was(router):
    source = t5_model().double()
    model = upcycle(source, 3, router, step=1, noise=0)
    kept = LABELS != -100
    logits = [m(**BATCH).logits[kept] for m in (source, model)]
    torch.testing.assert_close(*logits, rtol=0, atol=1e-10)
    with collect_routing(model) as routings:
        model(**BATCH)
    assert len(routings) == 6


def test_an_upcycled_model_generates_what_it_did():
    source = t5_model(num_decoder_layers=2)
    texts = [
        m.generate(input_ids=IDS, attention_mask=MASK, max_new_tokens=6)
        for m in (source, upcycle(source, noise=0))
    ]
    assert torch.equal(*texts)


def test_layers_and_noise(tmp_path):
    source = t5_model(d_ff=256)
    source.save_pretrained(tmp_path)
    torch.manual_seed(0)
    model = upcycle(tmp_path, 4, encoder_moe_layers=[0], step=2, noise=0.1)
    assert model.config.encoder_moe_layers == [0]
    assert model.config.decoder_moe_layers == [1, 3]
    dense = source.encoder.block[0].layer[1].DenseReluDense.wi.weight
    experts = model.encoder.block[0].layer[1].mlp.experts.values()
    added = torch.stack([expert.wi.weight - dense for expert in experts])
    ratio = added.std(dim=(1, 2)) / dense.std()
    torch.testing.assert_close(ratio, torch.full((4,), 0.1), rtol=0.1, atol=0)
    assert len({float(a[0, 0].detach()) for a in added}) == 4
    old = source.encoder.block[1].layer[1].DenseReluDense.wo.weight
    assert torch.equal(model.encoder.block[1].layer[1].mlp.wo.weight, old)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'noise': -1}, "'noise' must be a number >= 0"),
        ({'noise': 1e308}, "'noise' must be a number from 0 to 1"),
        ({'step': 0}, "'step' must be an integer >= 1"),
        ({'num_experts': 0}, "'num_experts' must be"),
        ({'d_ff': 8}, "must be settings that exist, got 'd_ff'"),
        ({'decoder_moe_layers': [4]}, "'decoder_moe_layers' must be"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        upcycle(t5_model(), **settings)


def test_other_models():
    with pytest.raises(ValueError, match='have no gate, got one with feed_f'):
        upcycle(t5_model(feed_forward_proj='gated-gelu'))
    with pytest.raises(ValueError, match="'source' must be a T5ForCond"):
        upcycle(switch_model())
    with pytest.raises(ValueError, match="'source' must be a SwitchTrans"):
        from_switch(moe_model())
