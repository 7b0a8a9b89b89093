import re

import pytest
import torch
from lightning.pytorch import Callback, seed_everything

from tests.training import tiny

SINGLE = {'num_experts': 1, 'num_experts_1hop': 1, 'top_k': None}
CLIPS = {
    'none': {},
    'norm': {'gradient_clip_val': 1e-3},
    'value': {
        'gradient_clip_val': 1e-3,
        'gradient_clip_algorithm': 'value',
    },
}
PRECISIONS = ('32-true', '64-true', 'bf16-true', 'bf16-mixed', '16-mixed')


def fit(precision, clip, *callbacks, **kwargs):
    seed_everything(0)
    trainer = tiny.make_trainer(
        max_epochs=1,
        precision=precision,
        callbacks=list(callbacks),
        **CLIPS[clip],
    )
    model = tiny.make_model(**kwargs)
    before = [p.detach().clone().float() for p in model.parameters()]
    trainer.fit(model, tiny.make_data(num_graphs=20))
    after = [p.detach().float() for p in model.parameters()]
    assert any((a != b).any() for a, b in zip(before, after))
    assert all(value.isfinite().all() for value in after)
    return trainer


@pytest.mark.parametrize('clip', list(CLIPS))
@pytest.mark.parametrize('precision', PRECISIONS)
@pytest.mark.parametrize('network', [{}, SINGLE])
def test_precisions_go_with_clipping(precision, clip, network):
    trainer = fit(precision, clip, **network)
    assert trainer.callback_metrics['train/loss'].isfinite()
    # Fused, but where Lightning refuses to clip what is fused.
    (optimizer,) = trainer.optimizers
    plain = clip != 'none' and precision.endswith('-mixed')
    assert optimizer.defaults['fused'] is not plain


class Gradients(Callback):
    """The largest norm and the largest entry of the steps' gradients."""

    norm = largest = 0.0

    def on_train_batch_end(self, trainer, pl_module, *args):
        grads = [p.grad for p in pl_module.parameters() if p.grad is not None]
        flat = torch.cat([grad.view(-1) for grad in grads])
        self.norm = max(self.norm, float(flat.norm()))
        self.largest = max(self.largest, float(flat.abs().max()))


@pytest.mark.parametrize('precision', ['32-true', 'bf16-mixed'])
def test_gradients_are_clipped(precision):
    found = {clip: Gradients() for clip in CLIPS}
    for clip, gradients in found.items():
        fit(precision, clip, gradients)
    assert found['none'].largest > 1e-2
    assert found['norm'].norm == pytest.approx(1e-3, rel=1e-3)
    assert found['value'].largest == pytest.approx(1e-3)
    assert found['value'].norm > 2e-3


@pytest.mark.parametrize('clip', list(CLIPS))
def test_pure_float16_is_refused(clip):
    accepted = re.escape(str(PRECISIONS))
    with pytest.raises(
        ValueError, match=f"'precision' must be one of {accepted}.*'16-true'"
    ):
        fit('16-true', clip)


@pytest.mark.parametrize('value', [-1.0, float('nan')])
def test_wrong_clipping_is_refused(value):
    trainer = tiny.make_trainer(gradient_clip_val=value)
    with pytest.raises(
        ValueError, match=f"'gradient_clip_val' must be .* got {value}"
    ):
        trainer.fit(tiny.make_model(), tiny.make_data())
