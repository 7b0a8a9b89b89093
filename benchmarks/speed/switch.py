"""The experts of a Switch Transformer in training, beside two other ways.

    python -m benchmarks.speed.switch --json benchmarks/results/switch.json

The layer of this package calls each expert with its tokens. Beside it: the
loop of transformers, and all experts on all tokens, weighted. All three have
the same experts and the same routing; their outputs and gradients are
compared before they take turns. The size is that of switch-base-8, whose
attention is left out: its cost is the same with any.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.switch_transformers import (
    modeling_switch_transformers as switch,
)

from benchmarks.common.options import run
from benchmarks.speed.rows import milliseconds, write_rows
from gmoe.text import SwitchMoeConfig
from gmoe.text.switch.layer import SwitchMoeLayer


class AllExperts(nn.Module):
    """The same layer with all experts on all tokens.

    Args:
        layer: The layer, whose router and experts are shared.
    """

    def __init__(self, layer: SwitchMoeLayer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, hidden_states: Tensor) -> Tensor:
        x = hidden_states.flatten(0, -2)
        gates = self.layer.router(x).gates
        out = torch.zeros_like(x)
        for index, expert in enumerate(self.layer.experts.values()):
            out = out + gates[:, index, None] * expert(x)
        return out.view_as(hidden_states)


class TransformersLoop(nn.Module):
    """The same layer with the loop over experts of transformers.

    Args:
        layer: The layer, whose router and experts are shared.
        config: Its settings.
    """

    def __init__(self, layer: SwitchMoeLayer, config: SwitchMoeConfig) -> None:
        super().__init__()
        self.router = layer.router
        with torch.device('meta'):
            self.experts = switch.SwitchTransformersExperts(config)
        self.experts.update(layer.experts)

    def forward(self, hidden_states: Tensor) -> Tensor:
        x = hidden_states.flatten(0, -2)
        routing = self.router(x)
        expert = routing.expert.view(len(x), -1)
        selected = nn.functional.one_hot(expert, routing.num_experts)
        out = self.experts(x, selected, routing.weight.view(len(x), -1))
        return out.view_as(hidden_states)


def make_layers(**settings: Any) -> dict[str, nn.Module]:
    """The layer by three ways, with the same random weights.

    Args:
        **settings: Arguments of :class:`gmoe.text.SwitchMoeConfig`.
    """
    config = SwitchMoeConfig(router_noise=False, dropout_rate=0.0, **settings)
    layer = SwitchMoeLayer(config)
    for parameter in layer.router.parameters():
        nn.init.normal_(parameter)
    return {
        'gmoe': layer,
        'transformers': TransformersLoop(layer, config),
        'all_experts': AllExperts(layer),
    }


def main(
    tokens: list[int] | int | None = None,
    num_experts: int = 8,
    experts_per_token: int = 2,
    d_model: int = 768,
    d_ff: int = 2048,
    rounds: int = 10,
    threads: list[int] | int | None = None,
    json: Path | None = None,
) -> None:
    """Times the three ways, forward and backward.

    Args:
        tokens: The number or numbers of tokens of a batch; 512 and 2048 if
            not given.
        num_experts: Number of experts.
        experts_per_token: Number of experts of a token.
        d_model: Size of the hidden states.
        d_ff: Size of the experts' hidden vectors.
        rounds: How many turns each way has.
        threads: The number or numbers of threads; PyTorch's if not given.
        json: A file for the results.
    """
    if isinstance(tokens, int):
        tokens = [tokens]
    if threads is None or isinstance(threads, int):
        threads = [threads or torch.get_num_threads()]
    sizes = {
        'num_experts': num_experts,
        'experts_per_token': experts_per_token,
        'd_model': d_model,
        'd_ff': d_ff,
    }
    rows = []
    for count, number in itertools.product(threads, tokens or [512, 2048]):
        torch.set_num_threads(count)
        torch.manual_seed(0)
        layers = make_layers(**sizes)
        row: dict[str, Any] = {'threads': count, 'tokens': number}
        row |= time_layers(layers, torch.randn(1, number, d_model), rounds)
        rows.append(row)
        print(', '.join(f'{key} {value}' for key, value in row.items()))
    write_rows(json, rows, rounds=rounds, **sizes)


def time_layers(
    layers: dict[str, nn.Module], x: Tensor, rounds: int
) -> dict[str, float]:
    """Milliseconds of each way, and how many times faster than the others
    that of this package is: the medians and the shortest.

    Args:
        layers: What :func:`make_layers` returns.
        x: Hidden states.
        rounds: How many turns each way has.

    Raises:
        RuntimeError: If outputs or gradients differ by more than 1e-4 of
            their size.
    """
    steps = {name: _step(layer, x) for name, layer in layers.items()}
    results = {name: step() for name, step in steps.items()}
    own = results['gmoe']
    error = max(
        float((a - b).norm() / a.norm())
        for other in results.values()
        for a, b in zip(own, other)
    )
    if not error <= 1e-4:
        raise RuntimeError(f'the layers differ by {error:.1e}')
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            times[name].append(milliseconds(step))
    # Another process on the machine lengthens the median, not the shortest.
    out: dict[str, float] = {}
    for suffix, choose in (('', statistics.median), ('_shortest', min)):
        ms = {k: round(float(choose(v)), 2) for k, v in times.items()}
        out |= {f'{k}{suffix}_ms': value for k, value in ms.items()}
        for name in ('transformers', 'all_experts'):
            ratio = round(ms[name] / ms['gmoe'], 2)
            out[f'times_faster_than_{name}{suffix}'] = ratio
    return {**out, 'largest_difference': error}


def _step(layer: nn.Module, x: Tensor) -> Callable[[], list[Tensor]]:
    leaf = x.detach().clone().requires_grad_()
    generator = torch.Generator().manual_seed(1)
    target = torch.randn(x.shape, generator=generator)

    def call() -> list[Tensor]:
        layer.zero_grad()
        leaf.grad = None
        out = layer(leaf)
        (out * target).sum().backward()
        grads = (p.grad for p in layer.parameters())
        return [out.detach(), leaf.grad, *(g for g in grads if g is not None)]

    return call


if __name__ == '__main__':
    run(main, as_positional=False)
