"""Which tokens of the encoder and of the decoder are routed."""

import re

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
    LAYERS,
    MASK,
    moe_model,
    switch_model,
)


def test_padding_before_a_text():
    model = moe_model()
    ids, mask = torch.tensor([[0, 0, 0, 3, 4, 8]]), torch.arange(6)[None] > 2
    first = torch.zeros(1, 1, dtype=torch.long)
    with collect_routing(model) as routings:
        model(
            input_ids=ids,
            attention_mask=mask.long(),
            decoder_input_ids=torch.cat([first, first, ids[:, 3:]], 1),
            decoder_attention_mask=torch.tensor([[0, 1, 1, 1, 1]]),
        )
    assert [r.num_nodes for r in routings] == [3, 4, 4]


def test_tokens_that_are_routed():
    model = moe_model()
    with collect_routing(model) as routings:
        model(**BATCH)
    assert routings.names == LAYERS
    labels = int((LABELS != -100).sum())
    assert [r.num_nodes for r in routings] == [int(MASK.sum()), labels, labels]
    # What stands before a label is seen by it.
    labels = LABELS.clone()
    labels[0, :3] = -100
    with collect_routing(model) as routings:
        model(**{**BATCH, 'labels': labels})
    assert routings[1].num_nodes == int((LABELS != -100).sum())
    with collect_routing(model) as routings:
        model(input_ids=IDS, decoder_input_ids=IDS[:, :2])
    assert [r.num_nodes for r in routings] == [18, 6, 6]


def test_vectors_in_place_of_tokens():
    model = moe_model()
    named = model(**BATCH)
    batch = {'attention_mask': MASK, 'labels': LABELS}
    out = model(inputs_embeds=model.shared(IDS), **batch)
    torch.testing.assert_close(out.logits, named.logits)
    encoded = model.get_encoder()(IDS, MASK)
    out = model(encoder_outputs=encoded, **batch)
    torch.testing.assert_close(out.logits, named.logits)
    assert out.encoder_aux_loss is None
    assert out.decoder_aux_loss is not None


def test_hidden_states_and_attentions():
    model = moe_model()
    out = model(
        **BATCH,
        output_hidden_states=True,
        output_attentions=True,
    )
    assert len(out.encoder_hidden_states) == 3
    assert len(out.decoder_hidden_states) == 5
    assert len(out.encoder_attentions) == 2
    assert len(out.cross_attentions) == 4


def test_fresh_weights_spread_as_those_of_transformers():
    wide = {'d_model': 64, 'd_kv': 16, 'd_ff': 96}
    old = dict(switch_model(**wide).named_parameters())
    for name, parameter in moe_model(**wide).named_parameters():
        # There, the experts' output is spread by the wrong width.
        name = re.sub(
            r'block.\d(.*)experts.expert_\d.wo', r'block.0\1wo', name
        )
        if '.router.' not in name and 'bias' not in name:
            spread = [p.std() for p in (parameter, old[name])]
            torch.testing.assert_close(*spread, rtol=0.1, atol=0, msg=name)


def test_fresh_routers_tell_tokens_apart():
    torch.manual_seed(0)
    config = moe_model(num_experts=8).config
    model = SwitchMoeForConditionalGeneration(config).eval()
    with collect_routing(model) as routings:
        model(**BATCH)
    assert all(len(r.expert.unique()) > 2 for r in routings)
