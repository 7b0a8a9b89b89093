"""The head of BERT-MoE against a loop over examples, forward and backward.

    python -m benchmarks.speed.bert_moe_head --threads '[1, 2]' \\
        --json benchmarks/results/bert_moe_head.json

Both have the same weights, and their outputs and gradients are compared
before they take turns. The encoder is left out: the loop's cost is the same
with any.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.common.options import run
from benchmarks.speed.rows import milliseconds, write_rows
from gmoe.text.head import MoeHead

#: How often a head is called in a turn that is timed.
CALLS = 10


class LoopHead(nn.Module):
    """The same head as published: one expert on one example at a time.

    The gate is a linear map, softmax over all experts and the largest weights
    as they are.

    Args:
        in_channels: Size of the pooled vectors.
        num_labels: Number of categories.
        num_experts: Number of experts.
        top_k: Number of experts per text.
        hidden: Size of the experts' hidden and output vectors.
    """

    def __init__(
        self,
        in_channels: int,
        num_labels: int,
        num_experts: int = 4,
        top_k: int = 2,
        hidden: int = 256,
    ) -> None:
        super().__init__()
        self.top_k = top_k
        self.hidden = hidden
        self.gate = nn.Linear(in_channels, num_experts, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(
                nn.Linear(in_channels, hidden),
                nn.ReLU(),
                nn.Linear(hidden, hidden),
            )
            for _ in range(num_experts)
        )
        self.classifier = nn.Linear(hidden, num_labels)

    def forward(self, x: Tensor) -> Tensor:
        weight, expert = self.gate(x).softmax(dim=-1).topk(self.top_k)
        rows = []
        for i in range(x.size(0)):
            row = x.new_zeros(self.hidden)
            for j in range(self.top_k):
                row = row + weight[i, j] * self.experts[expert[i, j]](x[i])
            rows.append(row)
        return self.classifier(torch.stack(rows))

    @torch.no_grad()
    def copy_to(self, head: MoeHead) -> None:
        """Gives another head these weights."""
        head.router.score_gate.weight.copy_(self.gate.weight.t())
        for o, expert in enumerate(self.experts):
            head.experts.weight1[o] = expert[0].weight.t()
            head.experts.bias1[o] = expert[0].bias
            head.experts.weight2[o] = expert[2].weight.t()
            head.experts.bias2[o] = expert[2].bias
        head.classifier.load_state_dict(self.classifier.state_dict())


def make_heads(
    in_channels: int,
    num_labels: int,
    num_experts: int,
    top_k: int,
    hidden: int,
) -> tuple[MoeHead, LoopHead]:
    """Both heads with the same random weights.

    Args:
        in_channels: Size of the pooled vectors.
        num_labels: Number of categories.
        num_experts: Number of experts.
        top_k: Number of experts per text.
        hidden: Size of the experts' hidden and output vectors.
    """
    loop = LoopHead(in_channels, num_labels, num_experts, top_k, hidden)
    head = MoeHead(
        in_channels,
        num_labels,
        num_experts,
        top_k,
        hidden,
        dropout=0.0,
        noise=False,
        topk_first=False,
    )
    loop.copy_to(head)
    return head, loop


def main(
    batch: int = 16,
    in_channels: list[int] | int | None = None,
    num_labels: int = 16,
    num_experts: int = 4,
    top_k: int = 2,
    hidden: int = 256,
    rounds: int = 30,
    threads: list[int] | int | None = None,
    json: Path | None = None,
) -> None:
    """Times both heads.

    Args:
        batch: Number of texts per batch.
        in_channels: The size or sizes of the pooled vectors; 384, 768 and
            1024 if not given.
        num_labels: Number of categories.
        num_experts: Number of experts.
        top_k: Number of experts per text.
        hidden: Size of the experts' hidden and output vectors.
        rounds: How many turns each head has.
        threads: The number or numbers of threads, of both heads; PyTorch's if
            not given.
        json: A file for the results.
    """
    if isinstance(in_channels, int):
        in_channels = [in_channels]
    if threads is None or isinstance(threads, int):
        threads = [threads or torch.get_num_threads()]
    sizes = in_channels or [384, 768, 1024]
    rows = []
    for count, size in itertools.product(threads, sizes):
        torch.set_num_threads(count)
        torch.manual_seed(0)
        heads = make_heads(size, num_labels, num_experts, top_k, hidden)
        row: dict[str, Any] = {
            'threads': count,
            'in_channels': size,
            'batch': batch,
        }
        row |= time_heads(*heads, torch.randn(batch, size), rounds)
        rows.append(row)
        print(', '.join(f'{key} {value}' for key, value in row.items()))
    write_rows(
        json,
        rows,
        num_labels=num_labels,
        num_experts=num_experts,
        top_k=top_k,
        hidden=hidden,
        rounds=rounds,
    )


def time_heads(
    head: MoeHead, loop: LoopHead, x: Tensor, rounds: int
) -> dict[str, float]:
    """Milliseconds of both heads, and how many times faster the first is: the
    medians and the shortest.

    Args:
        head: The grouped head.
        loop: The loop with the same weights.
        x: Pooled vectors.
        rounds: How many turns each head has.

    Raises:
        RuntimeError: If outputs or gradients differ by more than 1e-5.
    """
    target = torch.arange(x.size(0)) % loop.classifier.out_features
    calls = {
        'head': _step(lambda x: head(x)[0], head, x, target),
        'loop': _step(loop, loop, x, target),
    }
    error = max(
        float((a - b).abs().max())
        for a, b in zip(calls['head'](), calls['loop']())
    )
    if not error <= 1e-5:
        raise RuntimeError(f'the heads differ by {error:.1e}')
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            call()  # Finds the caches as the other head leaves them.
            times[name].append(milliseconds(call, CALLS))
    # Another process on the machine lengthens the median, not the shortest.
    out: dict[str, float] = {}
    for suffix, choose in (('', statistics.median), ('_shortest', min)):
        ms = {k: round(float(choose(v)), 4) for k, v in times.items()}
        out |= {f'{k}{suffix}_ms': value for k, value in ms.items()}
        ratio = round(ms['loop'] / ms['head'], 2)
        out[f'times_faster{suffix}'] = ratio
    return {**out, 'largest_difference': error}


def _step(
    function: Callable[[Tensor], Tensor],
    module: nn.Module,
    x: Tensor,
    target: Tensor,
) -> Callable[[], list[Tensor]]:
    leaf = x.detach().clone().requires_grad_()

    def call() -> list[Tensor]:
        module.zero_grad()
        leaf.grad = None
        logits = function(leaf)
        nn.functional.cross_entropy(logits, target).backward()
        return [logits.detach(), leaf.grad]

    return call


if __name__ == '__main__':
    run(main, as_positional=False)
