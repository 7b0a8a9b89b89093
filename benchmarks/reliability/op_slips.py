"""One wrong argument in a valid call of an op, or one of another layout."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks.reliability.op_calls import Call

#: What may be changed so that the call is still valid, or may be: the op, the
#: argument and the slip, as patterns.
ALLOWED = (
    # Any numbers will do, and so will every other real type of a lone tensor.
    ('*', '*', 'value nan'),
    ('*', '*', 'value inf'),
    ('relu_dropout', 'x', 'size *'),
    ('relu_dropout_backward', 'out', 'size *'),  # Without the ReLU.
    ('relu_dropout_backward', 'grad', 'size *'),
    ('relu_dropout*', '*', 'type *16'),
    ('relu_dropout*', '*', 'type float*'),
    ('relu_dropout_backward', 'out', 'type *'),
    ('relu_dropout_backward', 'out', 'value *'),
    ('relu_dropout*', 'seed', 'value *'),
    ('relu_dropout*', 'relu', 'flipped'),
    ('prefers_onednn', 'x', 'size *'),
    ('prefers_onednn', 'x', 'type *'),
    ('prefers_onednn', 'x', 'device meta'),
    ('noisy_topk', 'clean', 'device meta'),  # Without noise.
    ('group_by_expert', 'weight', 'type *16'),
    ('group_by_expert', 'weight', 'type float*'),
    ('noisy_topk*', 'clean', 'type *16'),  # Without noise.
    ('noisy_topk*', 'clean', 'type float*'),
    ('noisy_topk', 'clean', 'size [sle]*'),
    ('noisy_topk_backward', 'clean', 'size [sl]*er 1'),
    ('noisy_topk', 'top_k', 'one *'),
    ('noisy_topk_backward', 'grad_*', 'none'),
    ('noisy_topk_backward', 'top_k', 'one *'),
    ('noisy_topk*', 'topk_first', 'flipped'),
    # The order of edges, slots or codes is free.
    ('two_hop', 'edge_index', 'value falling'),
    ('two_hop', 'blocked', 'value *'),
    ('*', 'source', 'value falling'),
    ('*', 'codes', 'value falling'),
    ('*', 'node', 'value falling'),
    ('group_by_expert', 'expert', 'value falling'),
    ('routed_mlp*', 'expert', 'value falling'),
    # Numbers that bound others.
    ('two_hop', 'num_nodes', 'one more'),
    ('two_hop', 'num_nodes', 'one less'),
    ('two_hop', 'coalesce', 'flipped'),
    ('norm_combine', 'num_nodes', 'one *'),
    ('norm_combine_backward', 'grad', 'size [sl]*er 0'),
    ('group_by_expert', 'num_experts', 'one *'),
    ('group_by_expert', 'ptr', 'size [sl]*er 0'),
    ('*', 'num_messages', 'one *'),
    ('*', 'num_messages', 'zero'),
    ('*_backward', 'mask', 'size longer 0'),
    ('*_backward', 'mask', 'size shorter 0'),
    ('*_backward', 'mask', 'value *'),
    ('routed_mlp*', 'activation', 'one *'),
    ('routed_mlp*', 'activation', 'zero'),
    # Rows beyond the last group; columns that nothing else has.
    ('grouped_linear', 'x', 'size longer 0'),
    ('grouped_linear', 'weight', 'size [sle]* 2'),
    ('grouped_outer', 'x', 'size [sle]* 1'),
    ('grouped_outer', 'y', 'size [sle]* 1'),
    ('grouped_outer', 'ptr', 'size [sl]*er 0'),
    ('grouped_outer', 'ptr', 'value end'),
    ('expert_mlp_backward', 'hidden', 'size empty 0'),
    ('expert_mlp_backward', 'hidden', 'size shorter 0'),  # Of one row.
    # Tables may be shared; only the codes that edges have must be there, and
    # only the rows that slots look at.
    ('*', 'tables', 'size [sl]*er [01]'),
    ('routed_message*', 'row_of', 'value *'),
    ('routed_message*', 'row_of', 'none'),
    ('routed_message*', 'x', 'size [sl]*er 0'),  # With row_of.
    # What may be left out.
    ('*', 'bias', 'none'),
    ('*', 'self_scale', 'none'),
    ('*', 'training', 'flipped'),
    ('*', 'save', 'flipped'),
    ('expert_norm*', 'relu', 'flipped'),
    ('*', 'needs_x', 'flipped'),
    ('routed_message_backward', 'needs_edge_weight', 'flipped'),
)

REALS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
OTHERS = (torch.int64, torch.int32, torch.bool, torch.complex64)


class Slip(NamedTuple):
    """A call with one argument changed."""

    call: Call
    argument: str
    kind: str

    @property
    def may_be_valid(self) -> bool:
        """Whether the call may be accepted."""
        at = (self.call.op, self.argument, self.kind)
        return any(
            all(fnmatchcase(*pair) for pair in zip(at, patterns))
            for patterns in ALLOWED
        )


def draw_slip(call: Call, choose: random.Random) -> Slip:
    """Changes one argument of a call.

    Args:
        call: A valid call.
        choose: Chooses the argument and the change.
    """
    options: list[tuple[str, str, Any]] = []
    while not options:
        at = choose.randrange(len(call.arguments))
        value, name = call.arguments[at], call.names[at]
        options = [(name, *slip) for slip in slips(value, choose)]
        if isinstance(value, list | tuple) and value:
            k = choose.randrange(len(value))
            options += [
                (call.element_names(at)[k], kind, _replaced(value, k, wrong))
                for kind, wrong in slips(value[k], choose)
            ]
    name, kind, value = choose.choice(options)
    arguments = tuple(_replaced(call.arguments, at, value))
    return Slip(call._replace(arguments=arguments), name, kind)


def _replaced(values: Sequence[Any], at: int, value: Any) -> list[Any]:
    return [*values[:at], value, *values[at + 1 :]]


def slips(value: Any, choose: random.Random) -> Iterator[tuple[str, Any]]:
    """The ways to spoil a value, each with a name.

    Args:
        value: A valid argument.
        choose: Chooses among positions.
    """
    if isinstance(value, Tensor):
        yield 'none', None
        yield from _sizes(value)
        yield from _types(value)
        yield from _values(value, choose)
    elif isinstance(value, bool):
        yield 'flipped', not value
    elif isinstance(value, int):
        yield from _integers(value)
    elif isinstance(value, float):
        for wrong in (float('nan'), float('inf'), -float('inf'), -1.0):
            yield f'number {wrong:g}', wrong
    elif isinstance(value, list | tuple):
        yield from _lists(list(value))


def _sizes(value: Tensor) -> Iterator[tuple[str, Tensor]]:
    for dim in range(value.dim()):
        size = value.size(dim)
        if size > 0:
            yield f'size shorter {dim}', value.narrow(dim, 0, size - 1).clone()
            last = value.narrow(dim, size - 1, 1)
            yield f'size longer {dim}', torch.cat([value, last], dim)
        if size > 1:
            yield f'size empty {dim}', value.narrow(dim, 0, 0).clone()
    yield 'size nested', value.unsqueeze(0)
    if value.dim() != 1:
        yield 'size flat', value.flatten()
    if value.numel() > 0:
        yield 'size scalar', value.flatten()[0].clone()


def _types(value: Tensor) -> Iterator[tuple[str, Tensor]]:
    for dtype in (*REALS, *OTHERS):
        if dtype != value.dtype:
            yield f'type {str(dtype)[6:]}', value.to(dtype)
    yield 'device meta', value.to('meta')
    yield 'layout sparse', value.to_sparse()


def _values(
    value: Tensor, choose: random.Random
) -> Iterator[tuple[str, Tensor]]:
    if value.numel() == 0:
        return

    def put(number: float, position: int | None = None) -> Tensor:
        changed = value.clone(memory_format=torch.contiguous_format)
        if position is None:
            position = choose.randrange(value.numel())
        changed.view(-1)[position] = number
        return changed

    if value.is_floating_point():
        yield 'value nan', put(float('nan'))
        yield 'value inf', put(float('inf'))
        return
    limits = torch.iinfo(value.dtype)
    yield 'value negative', put(-1)
    yield 'value beyond', put(1000)
    yield 'value highest', put(limits.max)
    yield 'value lowest', put(limits.min)
    if value.dim() == 1 and value.numel() > 1:
        # Of a pointer: one more than there is.
        last = int(value[-1])
        if int(value[0]) == 0 and bool((value.diff() >= 0).all()):
            yield 'value start', put(last + 1, 0)
            yield 'value end', put(1000, value.numel() - 1)
    falling = value.flatten().sort(descending=True)[0].view(value.shape)
    if not bool((falling == falling.flatten()[0]).all()):
        yield 'value falling', falling


def _integers(value: int) -> Iterator[tuple[str, int]]:
    yield 'one more', value + 1
    yield 'one less', value - 1
    if value != 0:
        yield 'zero', 0
    yield 'negative', -1
    for power in (62, 63):
        yield f'number -2**{power}', -(2**power)
    yield 'number 2**62', 2**62
    yield 'number 2**63-1', 2**63 - 1


def _lists(value: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    if not value:
        return
    yield 'no element', []
    yield 'an element more', [*value, value[-1]]
    if len(value) > 1:
        yield 'an element less', value[:-1]


# The same values, laid out in other ways; expanded, the first ones only.
LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    'strided': lambda t: torch.stack([t, t], -1)[..., 1],
    'offset': lambda t: torch.cat([t, t])[t.size(0) :],
    'transposed': lambda t: t.transpose(0, -1).contiguous().transpose(0, -1),
    'expanded': lambda t: t[:1].expand(t.shape),
    'negated': lambda t: torch._neg_view(t.neg()),
}


class Pair(NamedTuple):
    """A call with one tensor in another layout, and with the same dense."""

    calls: tuple[Call, Call]
    argument: str
    layout: str


def draw_layout(call: Call, choose: random.Random) -> Pair:
    """Lays one tensor of a call out in another way.

    Args:
        call: A valid call.
        choose: Chooses the tensor and the layout.
    """
    flat, spec = torch.utils._pytree.tree_flatten(list(call.arguments))
    owner = [
        name
        for at, value in enumerate(call.arguments)
        for name in (
            call.element_names(at)
            if isinstance(value, list | tuple)
            else [call.names[at]]
        )
    ]
    at = choose.choice(
        [k for k, t in enumerate(flat) if isinstance(t, Tensor)]
    )
    real = flat[at].is_floating_point()
    layout = choose.choice(
        [n for n in LAYOUTS if real or n not in ('expanded', 'negated')]
    )
    odd = LAYOUTS[layout](flat[at])
    dense = odd.resolve_neg().clone(memory_format=torch.contiguous_format)
    calls = []
    for tensor in (odd, dense):
        flat[at] = tensor
        arguments = torch.utils._pytree.tree_unflatten(flat, spec)
        calls.append(call._replace(arguments=tuple(arguments)))
    return Pair((calls[0], calls[1]), owner[at], layout)
