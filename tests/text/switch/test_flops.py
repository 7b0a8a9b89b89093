"""Operations by the formula against those that PyTorch counts."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)

from gmoe.text import routing_report, switch_flops  # noqa: E402
from tests.text.switch.tiny import (  # noqa: E402
    IDS,
    LABELS,
    ROUTERS,
    moe_model,
)

#: A text and a summary without padding.
TEXT = {'input_ids': IDS[:1], 'labels': LABELS[:1]}


def counted(model, **text):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(**text, use_cache=False)
    counts = counter.get_flop_counts()
    name = type(model).__name__
    stacks = [counts[f'{name}.{stack}'] for stack in ('encoder', 'decoder')]
    return [sum(stack.values()) for stack in stacks], counter


@pytest.mark.parametrize(
    'sizes', [{}, {'d_kv': 6, 'num_sparse_encoder_layers': 2}]
)
@pytest.mark.parametrize('router', ROUTERS)
def test_as_pytorch_counts(router, sizes):
    model = moe_model(router=router, **sizes)
    report = routing_report(model, [TEXT])
    flops = switch_flops(
        model.config,
        IDS.size(1),
        LABELS.size(1),
        report.encoder.experts_per_token,
        report.decoder.experts_per_token,
    )
    (encoder, decoder), counter = counted(model, **TEXT)
    assert flops.encoder.total == encoder
    assert flops.decoder.total - flops.decoder.head == decoder
    assert flops.total == counter.get_total_flops()
    if 'sparsemax' not in router and 'entmax' not in router:
        plain = switch_flops(model.config, IDS.size(1), LABELS.size(1))
        assert plain == flops


def test_only_the_experts_depend_on_their_number():
    config = moe_model().config
    one, two, half = (
        switch_flops(config, 10, 7, number, number) for number in (1, 2, 1.5)
    )
    assert one.total - one.encoder.experts - one.decoder.experts == (
        two.total - two.encoder.experts - two.decoder.experts
    )
    slots = 10 + 2 * 7
    assert two.total - one.total == slots * 4 * 16 * 24
    assert half.total - one.total == slots // 2 * 4 * 16 * 24


def test_stacks_without_mixtures():
    model = moe_model(encoder_moe_layers=[], decoder_moe_layers=[])
    flops = switch_flops(model.config, IDS.size(1), LABELS.size(1))
    assert flops.encoder.router == flops.encoder.experts == 0
    assert flops.total == counted(model, **TEXT)[1].get_total_flops()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((0, 1), "'source_tokens' must be an integer >= 1"),
        ((1, 2.5), "'target_tokens' must be an integer >= 1"),
        ((1, 1, -1), "'encoder_experts' must be a number >= 0"),
        ((1, 1, 1, 5), "'decoder_experts' must be at most num_experts=4"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        switch_flops(moe_model().config, *arguments)


def test_what_has_to_be_given():
    config = moe_model(router='linear_entmax15').config
    with pytest.raises(ValueError, match="'decoder_experts' must be a number"):
        switch_flops(config, 3, 3, 1.5)
    with pytest.raises(ValueError, match="'config' must be a SwitchMoeConfig"):
        switch_flops(config.to_dict(), 3, 3)
