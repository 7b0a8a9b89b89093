"""Valid calls of every op that is registered, to be spoilt or compared."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gmoe import ops
from gmoe.ops import MessageHop
from gmoe.ops.backend import registered_ops
from gmoe.ops.hops import packed_names

EPS = 1e-5


class Call(NamedTuple):
    """An op's name and its arguments, none of which needs a gradient."""

    op: str
    arguments: tuple[Any, ...]

    def __call__(self) -> Any:
        """The op's outputs."""
        with torch.no_grad():
            return getattr(torch.ops.gmoe, self.op)(*self.arguments)

    def results(self) -> list[Tensor]:
        """The outputs but for bits, of which there are more than are set."""
        outs = torch.utils._pytree.tree_leaves(self())
        returns = getattr(torch.ops.gmoe, self.op).default._schema.returns
        names = [value.name for value in returns]
        return [out for k, out in enumerate(outs) if names[k:] != ['mask']]

    @property
    def names(self) -> list[str]:
        """The names of the arguments."""
        schema = getattr(torch.ops.gmoe, self.op).default._schema
        return [argument.name for argument in schema.arguments]

    def element_names(self, at: int) -> list[str]:
        """The names of the elements of an argument that is a list: those of
        its own, but for the packed tensors of hops.

        Args:
            at: Which argument.
        """
        if self.names[at] == 'hops':
            return packed_names(self.arguments[at + 1])
        return [self.names[at]] * len(self.arguments[at])


class Recorder(TorchDispatchMode):
    """Keeps the calls of the project's ops, forward and backward."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func.namespace == 'gmoe':
            arguments = torch.utils._pytree.tree_map_only(
                Tensor, lambda t: t.detach().clone(), tuple(args)
            )
            self.calls.append(Call(func._opname, arguments))
        return func(*args, **(kwargs or {}))


class Draw:
    """Random arguments.

    Args:
        seed: Where to start.
    """

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        self.generator = torch.Generator().manual_seed(seed)

    def rows(self, *shape: int, dtype: torch.dtype) -> Tensor:
        """Normal values that need a gradient."""
        value = torch.randn(*shape, generator=self.generator)
        return value.to(dtype).requires_grad_()

    def ids(self, size: int, count: int) -> Tensor:
        """Values from 0 to ``count - 1``."""
        return torch.randint(count, (size,), generator=self.generator)

    def ptr(self, parts: int, size: int) -> Tensor:
        """A pointer: the row at which each part begins."""
        cuts = self.ids(parts - 1, size + 1).sort()[0]
        return torch.cat([torch.tensor([0]), cuts, torch.tensor([size])])

    def slots(self, num_nodes: int, num_experts: int) -> tuple[Tensor, Tensor]:
        """The node and the expert of about half of all pairs, by expert."""
        used = torch.rand(num_experts, num_nodes, generator=self.generator)
        expert, node = (used < 0.5).nonzero().unbind(1)
        return node, expert

    def hop(
        self,
        num_experts: int,
        num_nodes: int,
        channels: int,
        dtype: torch.dtype,
        num_tables: int,
    ) -> MessageHop:
        """The edges that some experts look at, with everything."""
        edges = self.choose.randint(3, 12)
        sums = torch.promote_types(dtype, torch.float32)
        sizes = [self.choose.randint(2, 5) for _ in range(num_tables)]
        own = [self.choose.choice([1, num_experts]) for _ in sizes]
        return MessageHop(
            num_experts=num_experts,
            ptr=self.ptr(num_nodes, edges),
            source=self.ids(edges, num_nodes),
            tables=[
                self.rows(n, codes, channels, dtype=dtype)
                for n, codes in zip(own, sizes)
            ],
            codes=[self.ids(edges, codes) for codes in sizes],
            edge_weight=self.rows(edges, dtype=sums).detach(),
            root_weight=self.rows(num_nodes, dtype=sums).detach(),
        )


def record(seed: int) -> list[Call]:
    """Calls of every op that there is for the CPU, with random arguments.

    Args:
        seed: The seed of the random arguments.

    Raises:
        RuntimeError: If an op is registered that no call reaches.
    """
    with Recorder() as recorder, torch.enable_grad():
        for call in (_messages, _rows, _routing):
            for out in call(Draw(seed)):
                if out.requires_grad:
                    out.square().sum().backward()
    missing = registered_ops('CPU') - {call.op for call in recorder.calls}
    if missing:
        raise RuntimeError(
            f"'registered_ops' must be reached by a call each, got none of "
            f'{sorted(missing)}'
        )
    return recorder.calls


def _messages(draw: Draw) -> Iterator[Tensor]:
    """Message passing of all kinds."""
    choose = draw.choose
    dtype = choose.choice([torch.float32, torch.float64])
    nodes, channels, width = (choose.randint(2, 6) for _ in range(3))
    counts = [choose.randint(1, 3), choose.randint(1, 3)]
    experts = sum(counts)
    hops = [draw.hop(n, nodes, channels, dtype, 1) for n in counts]
    node, expert = draw.slots(nodes, experts)
    x, root = (
        draw.rows(size, channels, dtype=dtype) for size in (nodes, experts)
    )
    bias = draw.rows(experts, channels, dtype=dtype)
    weight = draw.rows(experts, width, channels, dtype=dtype)
    rows = draw.rows(nodes, width, dtype=dtype)
    yield ops.gcn_experts(rows, weight, bias, root, node, expert, hops)
    yield ops.routed_message(x, node, expert, hops, root=root)
    needed, ptr, row_of = ops.needed_rows(node, expert, hops, nodes)
    own = draw.rows(needed.numel(), channels, dtype=dtype)
    yield ops.routed_message(own, node, expert, hops, row_of=row_of, root=root)
    every = draw.rows(nodes * experts, channels, dtype=dtype)
    yield ops.routed_message(
        every, node, expert, hops, interleaved=True, root=root
    )
    plain = [
        hop._replace(edge_weight=hop.edge_weight, root_weight=None)
        for hop in hops
    ]
    for hop in plain:
        hop.edge_weight.requires_grad_()
    scale = draw.rows(experts, dtype=dtype)
    yield ops.routed_message(x, node, expert, plain, self_scale=scale)
    edge_index = torch.stack([draw.ids(12, nodes), draw.ids(12, nodes)])
    ops.two_hop_edges(edge_index, num_nodes=nodes)


def _rows(draw: Draw) -> Iterator[Tensor]:
    """Calls of the ops that work on the rows of each expert."""
    choose = draw.choose
    dtype = choose.choice([torch.float32, torch.float64])
    sizes = [choose.randint(2, 6) for _ in range(5)]
    nodes, experts, channels, hidden, width = sizes
    node, expert = draw.slots(nodes, experts)
    S = node.numel()
    ptr = torch.searchsorted(expert, torch.arange(experts + 1))

    def pair(size: int) -> list[Tensor]:
        return [draw.rows(experts, size, dtype=dtype) for _ in range(2)]

    def statistics(size: int) -> list[Tensor]:
        return [t.detach().square() for t in pair(size)]

    h = draw.rows(S, channels, dtype=dtype)
    gate = draw.rows(S, dtype=dtype)
    norm = (*pair(channels), *statistics(channels))
    yield ops.expert_norm(h, *norm, ptr, True, EPS, choose.random() < 0.5)[0]
    combined = ops.norm_combine(h, gate, *norm, node, expert, nodes, True, EPS)
    yield combined[0]
    weight1 = draw.rows(experts, channels, hidden, dtype=dtype)
    weight2 = draw.rows(experts, hidden, width, dtype=dtype)
    bias1, bias2 = pair(hidden)[0], pair(width)[0]
    networks = (weight1, bias1, *pair(hidden), *statistics(hidden))
    yield ops.expert_mlp(h, *networks, weight2, bias2, ptr, True, EPS)[0]
    yield ops.grouped_linear(h, weight1, bias1, ptr)
    rows = draw.rows(nodes, channels, dtype=dtype)
    maps = draw.rows(experts, hidden, channels, dtype=dtype)
    yield ops.routed_mlp(
        *(rows, maps, bias1, weight2, bias2, gate),
        draw.ids(S, experts),
        draw.ptr(nodes, S),
    )
    torch.ops.gmoe.prefers_onednn(rows)


def _routing(draw: Draw) -> Iterator[Tensor]:
    """The gate, and what stands around the experts."""
    choose = draw.choose
    dtype = choose.choice([torch.float32, torch.float64, torch.bfloat16])
    nodes, experts = choose.randint(1, 6), choose.randint(2, 9)
    top_k = choose.randint(1, experts - 1)
    clean, raw, noise = (
        draw.rows(nodes, experts, dtype=dtype) for _ in range(3)
    )
    first = choose.random() < 0.5
    gate = ops.noisy_topk(clean, raw, noise.detach(), top_k, first)
    assert gate.load is not None
    yield gate.weight.sum() + gate.load.sum() + gate.logits.sum()
    yield ops.noisy_topk(clean, None, None, top_k, first).weight
    yield ops.relu_dropout(clean, 0.5, relu=first)
    yield ops.relu_dropout(raw, 0.5, relu=not first)
    slots = choose.randint(1, 9)
    yield ops.group_by_expert(
        draw.rows(slots, dtype=dtype),
        draw.ids(slots, experts),
        draw.ptr(nodes, slots),
        experts,
    ).weight
