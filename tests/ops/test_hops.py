"""Hops in one list of tensors, and what the list is taken for."""

import torch

from gmoe.ops.hops import pack_hops, packed_grads, packed_names
from tests.ops.message_case import TWO_HOPS, make_case


def test_names_are_those_of_the_tensors():
    case = make_case(TWO_HOPS, root=True)
    tensors, sizes = pack_hops(case.hops, torch.float64)
    names = packed_names(sizes)
    fields = [
        (name, tensor)
        for hop in case.hops
        for name in hop._fields[1:]
        for tensor in _listed(getattr(hop, name))
    ]
    assert names == [name for name, _ in fields]
    for a, (_, b) in zip(tensors, fields, strict=True):
        assert torch.equal(a, b)
    assert sizes[::4] == [hop.num_experts for hop in case.hops]


def test_what_may_be_left_out():
    (hop, *_) = make_case().hops
    bare = hop._replace(
        tables=(), codes=(), edge_weight=None, root_weight=None
    )
    tensors, sizes = pack_hops([bare], torch.float32)
    assert [id(t) for t in tensors] == [id(hop.ptr), id(hop.source)]
    assert sizes == [hop.num_experts, 0, 0, 0]


def test_weights_are_in_the_type_of_sums():
    case = make_case(root=True)
    tensors, sizes = pack_hops(case.hops, torch.bfloat16)
    for name, tensor in zip(packed_names(sizes), tensors):
        if name == 'tables':
            assert tensor.dtype == torch.bfloat16
        elif name.endswith('weight'):
            assert tensor.dtype == torch.float32


def test_gradients_go_where_their_tensors_are():
    case = make_case(TWO_HOPS, root=True)
    tensors, sizes = pack_hops(case.hops, torch.float64)
    names = packed_names(sizes)
    tables = [t for name, t in zip(names, tensors) if name == 'tables']
    grads = packed_grads(sizes, tables=tables)
    for name, tensor, grad in zip(names, tensors, grads, strict=True):
        assert grad is (tensor if name == 'tables' else None)


def _listed(value):
    if value is None:
        return []
    return [value] if isinstance(value, torch.Tensor) else list(value)
