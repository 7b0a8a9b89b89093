"""Weighted sums over neighbours as sparse matrix products."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from gmoe.ops.check import check_shape
from gmoe.ops.gather_rows import add_rows, gather_rows

# The most numbers of gathered rows at a time.
_MAX_PART = 2**22


class Adjacency:
    r"""The edges of a graph as the rows of a sparse matrix.

    Args:
        ptr: The edges that node :math:`i` receives from are
            ``ptr[i]:ptr[i + 1]``, int64 of shape :math:`(N + 1)`.
        sender: The node that each edge comes from, int64 of shape
            :math:`(E)`.
        receiver: The node that it leads to, int64 of shape :math:`(E)`,
            non-decreasing.
    """

    def __init__(self, ptr: Tensor, sender: Tensor, receiver: Tensor) -> None:
        self.ptr = ptr
        self.sender = sender
        self.receiver = receiver
        self._transposed: tuple[Adjacency, Tensor] | None = None
        self._turned: tuple[Tensor, int, Tensor] | None = None

    @classmethod
    def from_sorted(
        cls, sender: Tensor, receiver: Tensor, num_nodes: int
    ) -> Adjacency:
        """Edges that are ordered by receiver.

        Args:
            sender: The node that each edge comes from.
            receiver: The node that it leads to, non-decreasing.
            num_nodes: Number of nodes :math:`N`.
        """
        degree = receiver.new_zeros(num_nodes).index_add(
            0, receiver, torch.ones_like(receiver)
        )
        ptr = torch.cat([degree.new_zeros(1), degree.cumsum(0)])
        return cls(ptr, sender, receiver)

    @property
    def num_nodes(self) -> int:
        """The number of nodes :math:`N`."""
        return self.ptr.numel() - 1

    def transposed(self) -> tuple[Adjacency, Tensor]:
        """The same edges the other way round, and where each of them is among
        these. They are sorted once.
        """
        if self._transposed is None:
            # Half the bytes are sorted in half the time.
            small = self.num_nodes <= torch.iinfo(torch.int32).max
            key = self.sender.to(torch.int32) if small else self.sender
            order = key.sort(stable=True)[1]
            back = Adjacency.from_sorted(
                self.receiver[order], self.sender[order], self.num_nodes
            )
            self._transposed = back, order
        return self._transposed

    def turned(self, weight: Tensor) -> Tensor:
        """The weights of the edges in the order of the transposed ones. The
        last ones are kept: those of a graph that all steps see are the same.

        Args:
            weight: The weight of each edge, of shape :math:`(E)`.
        """
        order = self.transposed()[1]
        if weight.requires_grad:
            return weight[order]
        kept = self._turned
        if kept is None or not (
            kept[0].is_set_to(weight) and kept[1] == weight._version
        ):
            kept = weight, weight._version, weight[order]
            self._turned = kept
        return kept[2]

    def matrix(self, weight: Tensor) -> Tensor:
        """The sparse matrix in CSR form.

        Args:
            weight: The weight of each edge, of shape :math:`(E)`.
        """
        size = (self.num_nodes, self.num_nodes)
        with warnings.catch_warnings():
            # That it is in a beta state, once in a process.
            warnings.simplefilter('ignore', UserWarning)
            return torch.sparse_csr_tensor(
                self.ptr, self.sender, weight, size, check_invariants=False
            )


def neighbor_sum(
    x: Tensor, adjacency: Adjacency, weight: Tensor | None = None
) -> Tensor:
    r"""Sums the rows of each node's neighbours:

    .. math::
        \mathbf{h}_i = \sum_{e = (j, i)} w_e \, \mathbf{x}_j

    It is a product with a sparse matrix, and so is its gradient. Nothing of
    size edges times channels is made, also for the gradient of the weights.
    Rows of 16 bits are summed in 32. Every derivative exists.

    Args:
        x: Rows of shape :math:`(N, D)`.
        adjacency: The edges.
        weight: The weight of each edge, of shape :math:`(E)`. (default: 1)

    Returns:
        Sums of shape :math:`(N, D)`.

    Raises:
        ValueError: If a shape is wrong.
    """
    check_shape('x', x, [adjacency.num_nodes, None])
    if weight is None:
        weight = x.new_ones(1).expand(adjacency.sender.size(0))
    check_shape('weight', weight, adjacency.sender.shape)
    dtype = torch.promote_types(x.dtype, torch.float32)
    rows, weight = x.to(dtype), weight.to(dtype)
    # A compiler fuses the gathered rows into the sum by itself.
    plain = torch.compiler.is_compiling() or torch.jit.is_tracing()
    if plain or adjacency.sender.numel() == 0 or x.numel() == 0:
        message = gather_rows(rows, adjacency.sender) * weight.unsqueeze(-1)
        out = add_rows(message, adjacency.receiver, adjacency.num_nodes)
    else:
        out = _Product.apply(rows, weight, adjacency)
    return out.to(x.dtype)


class _Product(Function):
    """The sums."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, adjacency: Adjacency
    ) -> Tensor:
        needs_x, needs_weight, _ = ctx.needs_input_grad
        ctx.adjacency = adjacency
        ctx.save_for_backward(
            x if needs_weight else None, weight if needs_x else None
        )
        matrix = adjacency.matrix(weight.contiguous())
        if x.device.type == 'cpu':
            # Which needs no MKL, and is not cast by autocast.
            return torch.sparse.mm(matrix, x.contiguous(), 'sum')
        with torch.autocast(x.device.type, enabled=False):
            return torch.sparse.mm(matrix, x.contiguous())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple:
        x, weight = ctx.saved_tensors
        grad_x = grad_weight = None
        if weight is not None:
            back, _ = ctx.adjacency.transposed()
            grad_x = _Product.apply(grad, ctx.adjacency.turned(weight), back)
        if x is not None:
            grad_weight = _EdgeProduct.apply(grad, x, ctx.adjacency)
        return grad_x, grad_weight, None


class _EdgeProduct(Function):
    """The scalar product of the rows at the two ends of each edge, that of
    the receiver and that of the sender."""

    @staticmethod
    def forward(
        ctx: Any, receiver: Tensor, sender: Tensor, adjacency: Adjacency
    ) -> Tensor:
        ctx.adjacency = adjacency
        ctx.save_for_backward(receiver, sender)
        num_edges, n = adjacency.sender.numel(), adjacency.num_nodes
        if sender.device.type != 'cpu' or num_edges > n * n:
            # Only PyTorch's own kernel is known to take repeated edges, and
            # not more of them than a matrix has places.
            return _edge_product_in_parts(receiver, sender, adjacency)
        pattern = adjacency.matrix(sender.new_zeros(num_edges))
        return torch.sparse.sampled_addmm(
            pattern, receiver.contiguous(), sender.t(), beta=0.0
        ).values()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple:
        receiver, sender = ctx.saved_tensors
        back, order = ctx.adjacency.transposed()
        return (
            _Product.apply(sender, grad, ctx.adjacency),
            _Product.apply(receiver, grad[order], back),
            None,
        )


def _edge_product_in_parts(
    receiver: Tensor, sender: Tensor, adjacency: Adjacency
) -> Tensor:
    size = max(1, _MAX_PART // max(1, sender.size(1)))
    parts = zip(adjacency.receiver.split(size), adjacency.sender.split(size))
    return torch.cat([(receiver[i] * sender[j]).sum(dim=1) for i, j in parts])
