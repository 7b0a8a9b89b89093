"""Balance without a loss: a bias per expert that counts for the selection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gmoe.common.arguments import check_choice, check_integer, check_number
from gmoe.common.distributed import is_distributed
from gmoe.routing.select import Scores, Selected, Selection, noisy_logits

#: What turns scores into affinities.
_AFFINITIES: dict[str, Callable[[Tensor], Tensor]] = {
    'sigmoid': torch.sigmoid,
    'softmax': lambda logits: torch.softmax(logits, dim=1),
}


class BalancedTopK(Selection):
    r"""The :math:`k` experts with the largest affinity plus bias, where the
    bias follows the load: `"Auxiliary-Loss-Free Load Balancing Strategy for
    Mixture-of-Experts" <https://arxiv.org/abs/2408.15664>`_, as in
    `DeepSeek-V3 <https://arxiv.org/abs/2412.19437>`_.

    .. math::
        s_{io} = \sigma(Q_{io}), \qquad
        \mathcal{T}_i = \mathrm{TopK}_o(s_{io} + b_o), \qquad
        G_{io} = \frac{s_{io}}{\sum_{p \in \mathcal{T}_i} s_{ip}}
        \text{ if } o \in \mathcal{T}_i \text{ else } 0

    The bias counts for the selection only and has no gradient. After each
    training step, :func:`update_balance` moves it by :math:`u`:

    .. math::
        b_o \leftarrow b_o + u \, \mathrm{sign}(\bar{c} - c_o)

    with the number :math:`c_o` of nodes that expert :math:`o` got since the
    last step in forward passes in training mode, over all processes, and its
    mean :math:`\bar{c}` over experts. Until then the bias stays, so that a
    pass that is computed again (gradient checkpointing) chooses the same, and
    all parts of an accumulated batch are routed alike. A pass computed again
    counts again, in all parts alike, which leaves the signs as they are.

    The bias is a buffer of the state dict, and is used in evaluation. It is
    kept in float32 at least, where a step of :math:`u` would otherwise be
    lost.

    Args:
        num_experts: Number of experts :math:`n`.
        top_k: Number of selected experts :math:`k`.
        rate: The step :math:`u`.
        affinity: :obj:`"sigmoid"` or :obj:`"softmax"` (over all experts).
        renormalize: Whether weights are divided by their sum over the
            selected experts, as in DeepSeek-V3. :obj:`False` takes the
            affinities as they are.

    Raises:
        ValueError: If an argument is out of range.
    """

    bias: Tensor

    def __init__(
        self,
        num_experts: int,
        top_k: int,
        rate: float = 0.001,
        affinity: str = 'sigmoid',
        renormalize: bool = True,
    ) -> None:
        super().__init__()
        check_integer(1, num_experts=num_experts)
        check_integer(1, num_experts, top_k=top_k)
        check_number(rate=rate)
        check_choice('affinity', affinity, _AFFINITIES)
        self.num_experts = num_experts
        self.top_k = top_k
        self.rate = rate
        self.affinity = affinity
        self.renormalize = renormalize
        self.register_buffer('bias', torch.zeros(num_experts))
        # No buffer: distributed training would overwrite it with the first
        # process's in each forward pass.
        self._counts: Tensor | None = None

    def reset_parameters(self) -> None:
        """Sets the bias to zero and forgets the nodes that were counted."""
        nn.init.zeros_(self.bias)
        self._counts = None

    def forward(self, scores: Scores) -> Selected:
        logits, _ = noisy_logits(scores)
        affinity = _AFFINITIES[self.affinity](logits)
        biased = affinity.detach() + self.bias.to(affinity.dtype)
        order = biased.sort(dim=1, descending=True, stable=True).indices
        expert = order[:, : self.top_k]
        if self.training:
            self._count(expert)
        weight = self._normalized(affinity.gather(1, expert))
        return Selected(weight, logits, expert)

    def weigh(self, logits: Tensor, chosen: Tensor) -> Tensor:
        return self._normalized(_AFFINITIES[self.affinity](logits) * chosen)

    def _normalized(self, weight: Tensor) -> Tensor:
        if not self.renormalize:
            return weight
        # As small as a sigmoid of large negative scores can be.
        tiny = torch.finfo(weight.dtype).tiny
        return weight / weight.sum(dim=1, keepdim=True).clamp(min=tiny)

    def _count(self, expert: Tensor) -> None:
        flat = expert.reshape(-1)
        counts = flat.new_zeros(self.num_experts)
        counts = counts.index_add(0, flat, torch.ones_like(flat))
        if self._counts is not None:
            counts = counts + self._counts.to(counts.device)
        self._counts = counts

    @torch.no_grad()
    def update(self) -> None:
        """Moves the bias by what was counted, and counts anew. In distributed
        training every process must call it.
        """
        counts = self._counts
        if counts is None:
            counts = torch.zeros(
                self.num_experts, dtype=torch.long, device=self.bias.device
            )
        self._counts = None
        if is_distributed():
            dist.all_reduce(counts)
        # Whole numbers: n times the error has its sign.
        error = counts.sum() - self.num_experts * counts
        self.bias += self.rate * error.sign().to(self.bias)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        bias = self.bias
        super()._apply(fn, recurse)
        if self.bias.element_size() < bias.element_size() == 4:
            self.bias = bias.to(self.bias.device)
        return self

    def extra_repr(self) -> str:
        return (
            f'top_k={self.top_k}, rate={self.rate}, '
            f'affinity={self.affinity!r}, renormalize={self.renormalize}'
        )


def update_balance(model: nn.Module) -> None:
    """Moves the biases of all :class:`BalancedTopK` inside a model. It goes
    after each step of the optimizer, or into a hook of it::

        optimizer.register_step_post_hook(lambda *_: update_balance(model))

    :class:`~gmoe.training.GraphModule` calls it itself.

    Args:
        model: Any model; nothing happens where it has none of them.
    """
    for module in model.modules():
        if isinstance(module, BalancedTopK):
            module.update()
