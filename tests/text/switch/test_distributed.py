"""Training in several processes, which wait for all gradients."""

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)
pytest.importorskip('peft', reason=reason)

from gmoe.text import lora  # noqa: E402
from tests.text.switch.tiny import BATCH, LABELS, moe_model  # noqa: E402


@pytest.fixture
def processes():
    dist.init_process_group(
        'gloo', store=dist.HashStore(), rank=0, world_size=1
    )
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize('adapted', [False, True])
@pytest.mark.parametrize('labels', [LABELS, torch.full_like(LABELS, -100)])
def test_experts_without_tokens(processes, adapted, labels):
    settings = {'router_noise': False, 'topk_first': False}
    model = moe_model(experts_per_token=1, **settings)
    for name, parameter in model.named_parameters():
        if '.router.' in name:
            parameter.data.zero_()
    if adapted:
        model = lora(model, targets=['q', 'experts'])
    # It refuses a step after one that has left out a parameter.
    parallel = DistributedDataParallel(model.train())
    for _ in range(2):
        parallel(**{**BATCH, 'labels': labels}).loss.backward()
    grads = {n: p.grad for n, p in model.named_parameters() if p.requires_grad}
    assert all(grad is not None for grad in grads.values())
    assert any('expert_3' in name for name in grads)
