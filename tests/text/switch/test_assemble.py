"""What a mixture has of the model that it is made of."""

import pytest
import torch

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)

from gmoe.text import SwitchMoeForConditionalGeneration  # noqa: E402
from tests.text.switch.tiny import switch_model, t5_model  # noqa: E402

from_switch = SwitchMoeForConditionalGeneration.from_switch
upcycle = SwitchMoeForConditionalGeneration.upcycle


def test_the_source_stays_as_it_is():
    source = switch_model()
    before = {k: v.clone() for k, v in source.state_dict().items()}
    source.generation_config.max_new_tokens = 3
    model = from_switch(source)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    after = source.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert model.generation_config.max_new_tokens == 3
    assert model.generation_config is not source.generation_config


def test_types_and_layers_are_kept():
    source = switch_model(num_sparse_decoder_layers=4).to(torch.bfloat16)
    model = from_switch(source)
    assert model.config.decoder_moe_layers == [0, 1, 2, 3]
    mlp = model.decoder.block[0].layer[2].mlp
    assert mlp.experts['expert_0'].wi.weight.dtype == torch.bfloat16
    assert mlp.router.score_gate.weight.dtype == torch.float32
    assert model.config.dtype == torch.bfloat16
    double = from_switch(switch_model().double())
    mlp = double.decoder.block[1].layer[2].mlp
    assert mlp.router.score_gate.weight.dtype == torch.float64


def test_the_experts_share_nothing():
    source = t5_model()
    model = upcycle(source, 3, noise=0)
    parameters = list(model.parameters())
    assert len({p.data_ptr() for p in parameters}) == len(parameters)
    assert not any(p.is_meta for p in parameters)
    shared = {p.data_ptr() for p in source.parameters()}
    assert not shared & {p.data_ptr() for p in parameters}
