"""The message op of :mod:`.op_bandwidth`, as the layers call it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import scatter

from benchmarks.speed.op_case import Case, compiled, eagerly, make_call
from gmoe.nn import BOND_FEATURE_DIMS, Neighborhood
from gmoe.nn.encoders.edge_encoder import CategoricalEdgeEncoder
from gmoe.ops import MessageHop, needed_rows, routed_message
from gmoe.routing.routing import ExpertSlots, Routing

try:
    from torch_scatter import segment_csr
except (ImportError, OSError):  # Not there, or built for another PyTorch.
    segment_csr = None

NUM_EXPERTS = 8


def message_case(
    data: Data, conv: str, top_k: int, channels: int, backward: bool
) -> Case:
    """The sums of messages of a layer of hop-1 experts.

    PyG and torch_scatter are handed the rows of each message, which gmoe and
    its eager version find themselves.

    Args:
        data: A batch of molecules.
        conv: ``"gin"``, whose experts share the rows of nodes, or ``"gcn"``,
            whose experts have rows of their own and whose edges have weights.
        top_k: The number of experts per node.
        channels: The number of channels.
        backward: Whether the gradients are computed too.
    """
    inputs = _inputs(data, conv, top_k, channels)
    output_grad = None
    if backward:
        shape = inputs['node'].numel(), channels
        output_grad = torch.randn(shape).to(data.x.device)
    double = _map(lambda v: v.double() if v.is_floating_point() else v, inputs)
    expanded = Expanded(inputs)
    op = partial(_message, **inputs)
    variants: dict[str, Callable[[], Tensor] | None] = {
        'gmoe': op,
        'pyg': expanded.by_scatter,
        'torch_scatter': segment_csr and expanded.by_segment_csr,
        'compile': compiled(op),
    }
    expected = make_call(
        eagerly(partial(_message, **double)),
        _leaves(double),
        output_grad if output_grad is None else output_grad.double(),
    )
    return Case(
        calls={
            name: function
            and make_call(function, _leaves(inputs), output_grad)
            for name, function in variants.items()
        },
        expected=expected(),
        num_bytes=expanded.forward_bytes()
        + (expanded.backward_bytes() if backward else 0),
    )


#: Each case by name.
CASES: dict[str, Callable[[Data], Case]] = {
    f'message-{conv}-n{NUM_EXPERTS}-k{k}-d{d}-{mode}': partial(
        message_case, conv=conv, top_k=k, channels=d, backward=mode == 'train'
    )
    for conv in ('gin', 'gcn')
    for k, d in ((1, 300), (4, 150))
    for mode in ('infer', 'train')  # Forward; forward and backward.
}


class Expanded:
    """The same sums with one row per (slot, edge) pair, and the fewest bytes
    that they need.

    Args:
        inputs: The arguments of the op, its edges among them.
    """

    def __init__(self, inputs: dict[str, Any]) -> None:
        self.inputs = inputs
        node, ptr = inputs['node'], inputs['ptr']
        degree = ptr.diff()[node]
        self.ptr = torch.cat([degree.new_zeros(1), degree.cumsum(0)])
        slots = torch.arange(node.numel(), device=node.device)
        self.slot = slots.repeat_interleave(degree)
        pairs = torch.arange(self.slot.numel(), device=node.device)
        self.edge = pairs + (ptr[node] - self.ptr[:-1])[self.slot]
        expert = inputs['expert'][self.slot]
        self.row = inputs['source'][self.edge]
        if inputs['row_of'] is not None:
            self.row = inputs['row_of'][expert, self.row]
        self.terms = [
            code[self.edge] + expert * table.size(1)
            for table, code in zip(inputs['tables'], inputs['codes'])
        ]

    def messages(self) -> Tensor:
        """The message of each pair."""
        out = self.inputs['x'].index_select(0, self.row)
        for table, term in zip(self.inputs['tables'], self.terms):
            out = out + table.flatten(0, 1).index_select(0, term)
        out = out.relu()
        if self.inputs['edge_weight'] is None:
            return out
        return out * self.inputs['edge_weight'][self.edge].unsqueeze(-1)

    def by_scatter(self) -> Tensor:
        """Sums with PyG."""
        num_slots = self.ptr.numel() - 1
        return scatter(self.messages(), self.slot, 0, num_slots, reduce='sum')

    def by_segment_csr(self) -> Tensor:
        """Sums with torch_scatter."""
        return segment_csr(self.messages(), self.ptr, reduce='sum')

    def forward_bytes(self) -> int:
        """The fewest bytes of the output."""
        num_slots = self.ptr.numel() - 1
        return self._operand_bytes() + num_slots * self._row_bytes()

    def backward_bytes(self) -> int:
        """The fewest bytes of the gradients of the rows and the tables: the
        operands and the gradient of the output are read."""
        grads = sum(leaf.nbytes for leaf in _leaves(self.inputs))
        return self.forward_bytes() + grads

    def _row_bytes(self) -> int:
        x = self.inputs['x']
        return x.size(1) * x.element_size()

    def _operand_bytes(self) -> int:
        rows = sum(_num_distinct(value) for value in (self.row, *self.terms))
        per_edge = [self.inputs['source'], *self.inputs['codes']]
        if self.inputs['edge_weight'] is not None:
            per_edge.append(self.inputs['edge_weight'])
        size = rows * self._row_bytes()
        size += _num_distinct(self.edge) * sum(
            value.element_size() for value in per_edge
        )
        size += sum(self.inputs[key].nbytes for key in _SLOT_KEYS)
        if self.inputs['row_of'] is not None:  # One entry for each row.
            row_of = self.inputs['row_of']
            size += _num_distinct(self.row) * row_of.element_size()
        return size


_SLOT_KEYS = ('node', 'expert', 'ptr')


def _message(
    x: Tensor,
    node: Tensor,
    expert: Tensor,
    row_of: Tensor | None,
    top_k: int,
    **edges: Any,
) -> Tensor:
    hop = MessageHop(NUM_EXPERTS, **edges)
    return routed_message(
        x, node, expert, [hop], row_of=row_of, slots_per_node=top_k
    )


def _num_distinct(index: Tensor) -> int:
    return index.unique().numel()


def _slots(num_nodes: int, top_k: int) -> ExpertSlots:
    # Nodes choose at random, so that all experts are about as large.
    expert = torch.rand(num_nodes, NUM_EXPERTS).topk(top_k).indices
    return Routing(
        ptr=torch.arange(num_nodes + 1) * top_k,
        expert=expert.view(-1),
        weight=torch.ones(expert.numel()),
        num_experts=NUM_EXPERTS,
    ).by_expert


def _inputs(
    data: Data, conv: str, top_k: int, channels: int
) -> dict[str, Any]:
    torch.manual_seed(0)
    num_nodes, device = data.num_nodes, data.x.device
    hop = Neighborhood.from_edge_index(
        data.edge_index.cpu(), data.edge_attr.cpu(), num_nodes
    )
    slots = _slots(num_nodes, top_k)
    encoder = CategoricalEdgeEncoder(NUM_EXPERTS, BOND_FEATURE_DIMS, channels)
    with torch.no_grad():
        tables, codes = encoder(hop)
    num_rows, row_of, edge_weight = num_nodes, None, None
    if conv == 'gcn':
        edges = MessageHop(NUM_EXPERTS, hop.ptr, hop.source)
        rows, _, row_of = needed_rows(
            slots.node, slots.expert, [edges], num_nodes
        )
        num_rows = rows.numel()
        edge_weight, _ = hop.gcn_norm(torch.float32)
    inputs = {
        'x': torch.randn(num_rows, channels),
        'node': slots.node,
        'expert': slots.expert,
        'ptr': hop.ptr,
        'source': hop.source,
        'row_of': row_of,
        'top_k': top_k,
        'tables': tables,
        'codes': codes,
        'edge_weight': edge_weight,
    }
    return _map(lambda value: value.to(device), inputs)


def _map(
    function: Callable[[Tensor], Tensor], inputs: dict[str, Any]
) -> dict[str, Any]:
    def change(value: Any) -> Any:
        if isinstance(value, list):
            return [change(item) for item in value]
        if not isinstance(value, Tensor):
            return value
        return function(value.detach())

    out = {key: change(value) for key, value in inputs.items()}
    for leaf in _leaves(out):
        leaf.requires_grad_()
    return out


def _leaves(inputs: dict[str, Any]) -> list[Tensor]:
    return [inputs['x'], *inputs['tables']]
