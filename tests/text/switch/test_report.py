"""What is counted of routed tokens."""

import pytest
import torch

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)

from gmoe.routing import collect_routing  # noqa: E402
from gmoe.text import routing_report  # noqa: E402
from gmoe.text.switch.report import _Counts, _use  # noqa: E402
from tests.text.switch.tiny import (  # noqa: E402
    BATCH,
    MASK,
    ROUTERS,
    moe_model,
)


def rows(batch, keep):
    return {name: value[keep] for name, value in batch.items()}


@pytest.mark.parametrize('router', ROUTERS)
def test_like_a_count_by_hand(router):
    model = moe_model(router=router)
    with collect_routing(model) as routings:
        model(**BATCH)
    report = routing_report(model, [rows(BATCH, [0]), rows(BATCH, [1, 2])])
    assert list(report.layers) == routings.names
    sizes = []
    for routing, use in zip(routings, report.layers.values()):
        chosen = routing.gates > 0
        assert use.tokens_per_expert == tuple(chosen.sum(0).tolist())
        assert use.tokens == len(chosen)
        share = float(chosen.sum(0).max() / chosen.sum())
        assert use.busiest_share == pytest.approx(share)
        assert use.idle_experts == int((~chosen.any(0)).sum())
        sizes.append(chosen.sum(1).double())
        mean = float(sizes[-1].mean())
        assert use.experts_per_token == pytest.approx(mean)
    both = torch.cat(sizes[1:])
    decoder = report.decoder
    assert decoder.tokens == len(both)
    assert decoder.experts_per_token == pytest.approx(float(both.mean()))
    most = torch.quantile(both, 0.95, interpolation='higher')
    assert decoder.experts_per_token_p95 == float(most)
    uses = list(report.layers.values())[1:]
    assert decoder.busiest_share == max(use.busiest_share for use in uses)
    assert decoder.idle_experts == sum(use.idle_experts for use in uses)
    assert report.encoder == uses[0] or report.encoder.tokens == MASK.sum()


@pytest.mark.parametrize('few', [10**7, 3 * 10**7])
def test_95_percent_of_many_tokens(few):
    """One token more, of hundreds of millions, is seen."""
    counts = _Counts(2)
    counts.per_token = torch.tensor([0, 19 * few - 1, few + 1])
    assert _use([counts]).experts_per_token_p95 == 2
    counts.per_token = torch.tensor([0, 19 * few, few])
    assert _use([counts]).experts_per_token_p95 == 1


def test_one_expert_has_it_all():
    model = moe_model(experts_per_token=1)
    for name, parameter in model.named_parameters():
        if '.router.' in name:
            parameter.data.zero_()
    model.train()
    model.decoder.eval()
    report = routing_report(model, [BATCH])
    assert model.training
    assert model.encoder.block[0].training
    assert not model.decoder.block[0].training
    assert report.encoder.busiest_share == 1
    assert report.encoder.idle_experts == 3
    assert report.decoder.idle_experts == 6
    assert report.encoder.tokens_per_expert == (int(MASK.sum()), 0, 0, 0)


def test_stacks_without_mixtures():
    report = routing_report(moe_model(encoder_moe_layers=[]), [BATCH])
    assert report.encoder is None
    assert report.decoder.experts_per_token == 2


def test_nothing_to_count():
    with pytest.raises(ValueError, match="'batches' must hold a batch at"):
        routing_report(moe_model(), [])
    batch = {k: v for k, v in BATCH.items() if k != 'labels'}
    lists = {k: v.tolist() for k, v in BATCH.items()}
    for wrong in (batch, 'text', {'labels': BATCH['labels']}, lists, None):
        for batches in ([wrong], None, 3):
            with pytest.raises(ValueError, match="'batches' must hold dict"):
                routing_report(moe_model(), batches)
    for wrong in (None, torch.nn.Linear(1, 1)):
        with pytest.raises(ValueError, match="'model' must be a SwitchMoe"):
            routing_report(wrong, [BATCH])
