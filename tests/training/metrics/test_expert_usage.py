import numpy as np
import torch

from gmoe.routing import Router
from gmoe.training import ExpertUsage


def test_expert_usage():
    usage = ExpertUsage(num_layers=2, num_experts=4)
    assert (usage.counts == 0).all()
    expected = np.zeros((2, 4))
    for seed in range(3):
        torch.manual_seed(seed)
        routings = [
            Router(3, 4, top_k=2)(torch.randn(9, 3)),
            Router(3, 4, normalize='sparsemax')(torch.randn(9, 3)),
        ]
        usage.update(routings)
        for layer, routing in enumerate(routings):
            for expert in routing.expert.tolist():
                expected[layer, expert] += 1
    share = usage.compute()
    assert np.allclose(share, expected / expected.sum(axis=1, keepdims=True))
    usage.reset()
    assert (usage.counts == 0).all()
