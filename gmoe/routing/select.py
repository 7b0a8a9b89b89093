"""Selections: which experts a node's scores lead to, and with what weight."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gmoe import ops
from gmoe.ops.noisy_topk import add_noise, select
from gmoe.ops.slots import dense_gates
from gmoe.routing.normalize import NORMALIZATIONS
from gmoe.routing.routing import Routing


class NonFiniteError(ValueError):
    """Features, or scores made of them, that are NaN or infinite."""


class Scores(NamedTuple):
    """What a selection is made from.

    Attributes:
        clean: The scores without noise, of shape :math:`(N, n)`.
        raw: The scores of the noise's scale, of the same shape; :obj:`None`
            without noise.
        noise: Standard normal draws, likewise.
        batch: The graph of each node, int64 of shape :math:`(N)`; :obj:`None`
            for one graph.
    """

    clean: Tensor
    raw: Tensor | None = None
    noise: Tensor | None = None
    batch: Tensor | None = None


class Selected(NamedTuple):
    """Experts with their weights, as a matrix with a row for each node.

    Attributes:
        weight: The weights, of shape :math:`(N, w)`.
        logits: The scores, noise included, of shape :math:`(N, n)`.
        expert: The experts, int64 of shape :math:`(N, w)`. (default: all
            experts in order, with :math:`w = n`)
        keep: Which of the entries are slots, of shape :math:`(N, w)`.
            (default: all)
        load: The probabilities of selection where noise was drawn, of shape
            :math:`(N, n)`.
    """

    weight: Tensor
    logits: Tensor
    expert: Tensor | None = None
    keep: Tensor | None = None
    load: Tensor | None = None

    def of_rows(self, rows: Tensor) -> Selected:
        """What these rows select, one for each entry.

        Args:
            rows: Numbers of rows, int64.
        """
        values: Any = [v if v is None else v[rows] for v in self]
        return Selected(*values)


class Selection(nn.Module):
    """The base of all selections.

    Most say which experts are chosen (:meth:`choose`) and what weights they
    have then (:meth:`weigh`).
    """

    #: Whether the graph of each node matters.
    needs_batch = False
    #: Whether a router adds noise unless it is told otherwise.
    noisy = False

    def reset_parameters(self) -> None:
        """Resets what is learned; most selections learn nothing."""

    def forward(self, scores: Scores) -> Selected:
        """The chosen experts of each node.

        Args:
            scores: The scores.
        """
        logits, _ = noisy_logits(scores)
        chosen = self.choose(logits, scores.batch)
        return Selected(self.weigh(logits, chosen), logits, keep=chosen)

    def choose(self, logits: Tensor, batch: Tensor | None) -> Tensor:
        """Which experts are chosen, bool of shape :math:`(N, n)`.

        Args:
            logits: The scores, of the same shape.
            batch: The graph of each node; :obj:`None` for one graph.
        """
        raise NotImplementedError

    def weigh(self, logits: Tensor, chosen: Tensor) -> Tensor:
        """The weights of the chosen experts, of shape :math:`(N, n)`. What
        stands at the others is not read.

        Args:
            logits: The scores, of the same shape.
            chosen: Which experts are chosen, bool of the same shape.
        """
        raise NotImplementedError

    def hold(
        self, logits: Tensor, held: Routing, copies: int
    ) -> Selected | None:
        """The experts of another routing, with weights of these scores;
        :obj:`None` where nothing jumps and so nothing needs to be held.

        Args:
            logits: The scores without noise, of shape :math:`(N, n)`.
            held: The other routing.
            copies: How often its nodes are repeated.
        """
        shape = (held.num_nodes, held.num_experts)
        ones = torch.ones_like(held.weight)
        chosen = dense_gates(ones, held.expert, held.node, shape) > 0
        chosen = chosen.repeat(copies, 1)
        return Selected(self.weigh(logits, chosen), logits, keep=chosen)


class AllExperts(Selection):
    """Every expert with a weight above zero.

    Args:
        normalize: A key of ``NORMALIZATIONS``, which turns scores into
            weights.
    """

    def __init__(self, normalize: str = 'softmax') -> None:
        super().__init__()
        self.normalize = normalize

    def forward(self, scores: Scores) -> Selected:
        logits, _ = noisy_logits(scores)
        weight = NORMALIZATIONS[self.normalize](logits)
        return Selected(weight, logits, keep=_nonzero(weight, self.normalize))

    def hold(self, logits: Tensor, held: Routing, copies: int) -> None:
        return None

    def extra_repr(self) -> str:
        return f'normalize={self.normalize!r}'


class TopK(Selection):
    r"""The :math:`k` experts with the largest scores, the lower id first where
    scores are equal.

    Args:
        top_k: Number of selected experts :math:`k`.
        normalize: A key of ``NORMALIZATIONS``, which turns scores into
            weights.
        topk_first: Whether the weights are normalised over the selected
            experts only, else over all.
    """

    noisy = True

    def __init__(
        self, top_k: int, normalize: str = 'softmax', topk_first: bool = True
    ) -> None:
        super().__init__()
        self.top_k = top_k
        self.normalize = normalize
        self.topk_first = topk_first

    def forward(self, scores: Scores) -> Selected:
        clean, raw, noise, _ = scores
        if self.normalize == 'softmax':
            weight, expert, logits, load = ops.noisy_topk(
                clean, raw, noise, self.top_k, self.topk_first
            )
            check_finite(logits)
            return Selected(weight, logits, expert, load=load)
        logits, scale = noisy_logits(scores)
        normalize = NORMALIZATIONS[self.normalize]
        weight, expert, _, load = select(
            clean, logits, scale, self.top_k, self.topk_first, normalize
        )
        keep = _nonzero(weight, self.normalize)
        return Selected(weight, logits, expert, keep, load)

    def hold(self, logits: Tensor, held: Routing, copies: int) -> Selected:
        normalize: Any = NORMALIZATIONS[self.normalize]
        expert = self._selection(held).repeat(copies, 1)
        if self.topk_first:
            weight = normalize(logits.gather(1, expert))
        else:
            weight = normalize(logits).gather(1, expert)
        return Selected(weight, logits, expert)

    def _selection(self, held: Routing) -> Tensor:
        # The selected experts, of shape (N, k).
        if held.slots_per_node == self.top_k:
            return held.expert.view(-1, self.top_k)
        # A weight of zero has left slots out; the scores tell the selection.
        assert held.logits is not None
        order = held.logits.detach().sort(dim=1, descending=True, stable=True)
        return order.indices[:, : self.top_k]

    def extra_repr(self) -> str:
        return (
            f'top_k={self.top_k}, normalize={self.normalize!r}, '
            f'topk_first={self.topk_first}'
        )


def noisy_logits(scores: Scores) -> tuple[Tensor, Tensor | None]:
    """The scores with their noise, and its scale.

    Args:
        scores: The scores.

    Raises:
        NonFiniteError: If one is NaN or infinite (looked at on the CPU only).
    """
    logits, scale = add_noise(scores.clean, scores.raw, scores.noise)
    check_finite(logits)
    return logits, scale


def routing_of(selected: Selected, num_experts: int) -> Routing:
    """The routing with a slot for each selected expert of each node.

    Args:
        selected: The selected experts.
        num_experts: The number of experts :math:`n`.
    """
    weight, logits, expert, keep, load = selected
    num_nodes, width = weight.shape
    if expert is None:
        expert = torch.arange(width, device=weight.device)
        expert = expert.expand(num_nodes, -1)
    slots_per_node: int | None = None
    if keep is None:
        ptr = torch.arange(
            0, num_nodes * width + 1, width, device=weight.device
        )
        slots_per_node = width
        expert, weight = expert.reshape(-1), weight.reshape(-1)
    else:
        ptr = torch.zeros(
            num_nodes + 1, dtype=torch.long, device=weight.device
        )
        torch.cumsum(keep.sum(dim=1), dim=0, out=ptr[1:])
        expert, weight = expert[keep], weight[keep]
    return Routing(
        ptr=ptr,
        expert=expert,
        weight=weight,
        num_experts=num_experts,
        slots_per_node=slots_per_node,
        logits=logits,
        load_probabilities=load,
    )


def check_finite(logits: Tensor) -> None:
    """Refuses scores that are NaN or infinite, on the CPU, where it costs no
    synchronisation.

    Args:
        logits: The scores, of shape :math:`(N, n)`.

    Raises:
        NonFiniteError: If there is one.
    """
    # A non-finite feature makes its row of scores NaN, whatever the weights,
    # so the small matrix can be looked at in place of the large one.
    if torch.compiler.is_compiling() or logits.device.type != 'cpu':
        return
    # A sum that is finite has finite terms only.
    if bool(logits.detach().sum().isfinite()):
        return
    finite = logits.isfinite().all(dim=1)
    if not bool(finite.all()):
        node = int((~finite).nonzero()[0])
        raise NonFiniteError(
            "'x' must be finite (no NaN, no infinity), got a non-finite "
            f'score at node {node}, from its features or from the '
            "router's parameters"
        )


def _nonzero(weight: Tensor, normalize: str) -> Tensor | None:
    # Softmax gives no zeros, but for those of rounding.
    return None if normalize == 'softmax' else weight > 0
