"""Wrong arguments of the public functions, with the fused ops and without."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

from gmoe import ops
from tests.ops.gcn_case import make_gcn
from tests.ops.message_case import make_case
from tests.ops.norm_case import make_norm

REFUSED = (ValueError, RuntimeError, IndexError)


@pytest.fixture(params=['fused', 'eager'], autouse=True)
def path(request):
    """Both versions of each function."""
    with nullcontext() if request.param == 'fused' else ops.eager_ops():
        yield


def wrong_values(index, count):
    """Indices of which one is out of range."""
    for value in (-1, -count, count, 2**40):
        wrong = index.clone()
        wrong[wrong.numel() // 2] = value
        yield wrong


def wrong_pointers(ptr):
    """Pointers that do not cut what they shall into parts."""
    middle = ptr.clone()
    middle[len(ptr) // 2] = 1000
    yield from (middle, ptr.flip(0), ptr + 1, ptr - 1, ptr[:0])


def wrong_messages(message):
    """Message passing with slots or edges that name what there is not."""
    num_nodes = message.hops[0].ptr.numel() - 1
    for node in wrong_values(message.node, num_nodes):
        yield replace(message, node=node)
    for expert in wrong_values(message.expert, message.num_experts):
        yield replace(message, expert=expert)
    yield replace(message, expert=message.expert.flip(0))
    yield replace(message, node=message.node[1:])
    yield replace(message, expert=message.expert[1:])
    for h, hop in enumerate(message.hops):
        for wrong in wrong_hops(hop, num_nodes):
            hops = [*message.hops[:h], wrong, *message.hops[h + 1 :]]
            yield replace(message, hops=hops)


def wrong_hops(hop, num_nodes):
    """A hop with one part spoilt."""
    for ptr in (*wrong_pointers(hop.ptr), hop.ptr[:-1]):
        yield hop._replace(ptr=ptr)
    for source in (*wrong_values(hop.source, num_nodes), hop.source[:0]):
        yield hop._replace(source=source)
    first, *rest = hop.codes
    for code in (*wrong_values(first, hop.tables[0].size(1)), first[1:]):
        yield hop._replace(codes=[code, *rest])
    yield hop._replace(edge_weight=hop.edge_weight[1:])
    if hop.root_weight is not None:
        yield hop._replace(root_weight=hop.root_weight[1:])


@pytest.mark.parametrize('rows', ['shared', 'interleaved', 'own'])
def test_routed_message(rows):
    case = make_case(rows=rows, root=True)
    case.message()
    for wrong in wrong_messages(case):
        with pytest.raises(REFUSED):
            wrong.message()
    if rows != 'own':
        with pytest.raises(REFUSED):
            replace(case, x=case.x[1:]).message()
    with pytest.raises(REFUSED):
        replace(case, root=case.root[1:]).message()


def test_gcn_experts_and_needed_rows():
    case = make_gcn()
    case()
    for wrong in wrong_messages(case.message):
        with pytest.raises(REFUSED):
            replace(case, message=wrong)()
    with pytest.raises(REFUSED):
        replace(case, x=case.x[1:])()
    message = case.message
    for hops in ([h._replace(source=-h.source - 1) for h in message.hops],):
        with pytest.raises(ValueError, match="'source' must hold values"):
            ops.needed_rows(message.node, message.expert, hops, case.x.size(0))


def test_expert_norm():
    case = make_norm()
    ptr = torch.searchsorted(case.expert, torch.arange(case.gamma.size(0) + 1))

    def norm(**change):
        names = ('h', 'gamma', 'beta', 'running_mean', 'running_var')
        values = {name: getattr(case, name) for name in names}
        return ops.expert_norm(
            **{**values, 'ptr': ptr, **change}, training=True, eps=1e-5
        )

    norm()
    for wrong in (*wrong_pointers(ptr), ptr[:-1]):
        with pytest.raises(REFUSED):
            norm(ptr=wrong)
    for name in ('gamma', 'beta', 'running_mean', 'running_var'):
        for wrong in (getattr(case, name)[1:], getattr(case, name)[:0]):
            with pytest.raises(REFUSED):
                norm(**{name: wrong})
    with pytest.raises(REFUSED):
        norm(h=case.h[:0])


def test_groups():
    x, weight, bias = torch.ones(4, 2), torch.ones(3, 2, 2), torch.ones(3, 2)
    ptr = torch.tensor([0, 1, 3, 4])
    ops.grouped_linear(x, weight, bias, ptr)
    for wrong in (*wrong_pointers(ptr), ptr[:-1]):
        with pytest.raises(REFUSED):
            ops.grouped_linear(x, weight, bias, wrong)
    for arguments in ((x[1:], weight, bias), (x, weight[1:], bias[1:])):
        with pytest.raises(REFUSED):
            ops.grouped_linear(*arguments, ptr)
    for wrong in (bias[1:], bias[:, 1:], bias[:0]):
        with pytest.raises(REFUSED):
            ops.grouped_linear(x, weight, wrong, ptr)
    for arguments in ((x[0], weight), (x, weight[0]), (x[:, 1:], weight)):
        with pytest.raises(REFUSED, match='must have shape .* got'):
            ops.grouped_linear(*arguments, bias, ptr)


def test_slots():
    weight, expert = torch.ones(4), torch.tensor([0, 2, 1, 1])
    ptr = torch.tensor([0, 1, 3, 4])
    slots = ops.group_by_expert(weight, expert, ptr, 3)
    for wrong in wrong_pointers(ptr):
        with pytest.raises(REFUSED):
            ops.group_by_expert(weight, expert, wrong, 3)
    for wrong in (*wrong_values(expert, 3), expert[1:]):
        with pytest.raises(REFUSED):
            ops.group_by_expert(weight, wrong, ptr, 3)
    h, gate, two = torch.ones(4, 2), slots.weight, torch.tensor([0, 0, 1, 1])
    for wrong in (*wrong_values(slots.order, 4), slots.order[1:]):
        with pytest.raises(REFUSED):
            ops.combine(h, gate, two, wrong, 2, slots_per_node=2)
    with pytest.raises(
        ValueError, match="'h' must have shape .any, any., got"
    ):
        ops.combine(gate, gate, two, slots.order, 2)
    for wrong in (*wrong_values(slots.node, 3), slots.node[1:]):
        with pytest.raises(REFUSED):
            ops.combine(h, gate, wrong, slots.order, 3)
    for wrong in wrong_values(slots.node, 4):
        with pytest.raises(REFUSED):
            ops.gather_rows(h, wrong)


def test_gate_and_dropout():
    clean = torch.randn(4, 3)
    for top_k in (-1, 0, 4, 2**40):
        with pytest.raises(REFUSED, match="'top_k' must be from 1 to 3"):
            ops.noisy_topk(clean, None, None, top_k)
    for raw, noise in ((clean, None), (None, clean)):
        with pytest.raises(ValueError, match="'raw' must be given with"):
            ops.noisy_topk(clean, raw, noise, 2)
    with pytest.raises(ValueError, match="'noise' must have shape"):
        ops.noisy_topk(clean, clean, clean[1:], 2)
    for p in (-0.1, 1.1, float('nan')):
        with pytest.raises(ValueError, match="'p' must be from 0 to 1, got"):
            ops.relu_dropout(clean, p)
