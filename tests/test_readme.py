"""The README's snippet runs, and its numbers are those of the results."""

import re
from pathlib import Path

import torch
from torch_geometric.data import Batch

from gmoe.transforms import TwoHop
from tests.graphs import random_graph

ROOT = Path(__file__).resolve().parent.parent


def snippet() -> str:
    (code,) = re.findall(
        r'```python\n(.*?)```', (ROOT / 'README.md').read_text(), re.S
    )
    return code


def test_snippet_is_short():
    assert len(snippet().strip().splitlines()) <= 15


def test_snippet_trains():
    torch.manual_seed(0)
    scope: dict = {}
    exec(snippet(), scope)
    model = scope['MyGNN']()
    batch = TwoHop()(
        Batch.from_data_list(
            [random_graph(9, 14, 16, seed, torch.float32) for seed in range(8)]
        )
    )
    target = torch.randn(8, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        out, balance = model(batch)
        loss = torch.nn.functional.mse_loss(out, target)
        (loss + balance).backward()
        optimizer.step()
        losses.append(float(loss))
    assert out.shape == (8, 1)
    assert losses[-1] < 0.2 * losses[0]
    assert all(p.grad is not None for p in model.parameters())
