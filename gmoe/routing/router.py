"""Router = score -> noise -> normalise -> select."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gmoe import ops
from gmoe.common.arguments import check_choice, check_integer
from gmoe.ops.noisy_topk import add_noise, select
from gmoe.routing.normalize import NORMALIZATIONS
from gmoe.routing.routing import Routing
from gmoe.routing.score import AttentionScore, LinearScore, linear_scores
from gmoe.routing.uniform import UniformRouter

__all__ = ['ROUTER_PRESETS', 'Router', 'UniformRouter']

#: The six published settings by name, as arguments of :class:`Router`.
ROUTER_PRESETS: dict[str, dict[str, Any]] = {
    f'{score}_{suffix}': {'score': score, **settings}
    for score in ('linear', 'attention')
    for suffix, settings in {
        'softmax_topk': {'normalize': 'softmax', 'noise': True},
        'softmax': {'normalize': 'softmax', 'noise': False},
        'sparsemax': {'normalize': 'sparsemax', 'noise': False},
    }.items()
}

_SCORES = {'linear': LinearScore, 'attention': AttentionScore}


class NonFiniteError(ValueError):
    """Features, or scores made of them, that are NaN or infinite."""


class Router(nn.Module):
    r"""The noisy top-k gate of `"Outrageously Large Neural Networks: The
    Sparsely-Gated Mixture-of-Experts Layer"
    <https://arxiv.org/abs/1701.06538>`_ (eq. 3-5), as used per node in
    `"Graph Mixture of Experts" <https://arxiv.org/abs/2304.02806>`_ (eq. 3-4),
    and its relatives.

    .. math::
        \mathbf{Q} = \mathbf{X} \mathbf{W}_g + \boldsymbol{\epsilon} \odot
        (\mathrm{softplus}(\mathbf{X} \mathbf{W}_n) + 0.01), \qquad
        \mathbf{G} = \mathrm{softmax}(\mathrm{TopK}(\mathbf{Q}, k))

    The noise :math:`\epsilon \sim \mathcal{N}(0, 1)` is drawn in training
    only. Scores are computed in float32 (float64 for float64 inputs), under
    autocast too. Equal scores are resolved in favour of the lower expert id.

    With one selected expert and :obj:`topk_first`, its weight is always 1:
    the router then learns from the load loss alone.

    Args:
        in_channels: Size of each node's features.
        num_experts: Number of experts :math:`n`.
        top_k: Number of experts selected per node; :obj:`None` selects every
            expert with a weight above zero. (default: :obj:`None`)
        score: :obj:`"linear"` or :obj:`"attention"` (scaled dot product with
            learned expert embeddings). (default: :obj:`"linear"`)
        normalize: :obj:`"softmax"`, :obj:`"sparsemax"` or :obj:`"entmax15"`.
            The last two give exact zeros, so that nodes differ in their
            number of experts. (default: :obj:`"softmax"`)
        noise: Whether noise with a learned scale is added to the scores in
            training. (default: :obj:`True` where :obj:`top_k` selects, else
            :obj:`False`)
        topk_first: :obj:`True` normalises over the selected experts only, as
            in the papers above. :obj:`False` normalises over all experts and
            keeps the :obj:`top_k` largest weights as they are (`Switch
            Transformer <https://arxiv.org/abs/2101.03961>`_). (default:
            :obj:`True` where :obj:`top_k` selects)

    Shapes:
        - **input:** node features :math:`(N, D)`
        - **output:** :class:`Routing`

    Raises:
        ValueError: If an argument is out of range, or a combination has no
            meaning.
    """

    def __init__(
        self,
        in_channels: int,
        num_experts: int,
        top_k: int | None = None,
        score: str = 'linear',
        normalize: str = 'softmax',
        noise: bool | None = None,
        topk_first: bool | None = None,
    ) -> None:
        super().__init__()
        check_integer(1, in_channels=in_channels, num_experts=num_experts)
        if top_k is not None and (
            isinstance(top_k, bool)
            or not isinstance(top_k, int)
            or not 1 <= top_k <= num_experts
        ):
            raise ValueError(
                f"'top_k' must be None or an integer from 1 to num_experts="
                f'{num_experts}, got {top_k}'
            )
        check_choice('score', score, _SCORES)
        check_choice('normalize', normalize, NORMALIZATIONS)
        if top_k is None and topk_first is not None:
            raise ValueError(
                f"'topk_first' must be None where 'top_k' is None: without a "
                f'selection there is nothing to do first, got {topk_first}'
            )
        self.in_channels = in_channels
        self.num_experts = num_experts
        self.top_k = top_k
        self.score = score
        self.normalize = normalize
        self.noise = top_k is not None if noise is None else noise
        self.topk_first = top_k is not None and topk_first is not False

        self.score_gate = _SCORES[score](in_channels, num_experts)
        self.score_noise = (
            LinearScore(in_channels, num_experts) if self.noise else None
        )

    @classmethod
    def from_preset(
        cls,
        preset: str,
        in_channels: int,
        num_experts: int,
        top_k: int | None = None,
        **kwargs: Any,
    ) -> Router:
        """A router with one of the published settings.

        Args:
            preset: A key of :obj:`ROUTER_PRESETS`.
            in_channels: Size of each node's features.
            num_experts: Number of experts.
            top_k: Number of selected experts, required by the ``topk``
                presets and refused by the others.
            **kwargs: Further arguments of :class:`Router`, which override
                the preset's.

        Raises:
            ValueError: If the preset is unknown, or :obj:`top_k` does not go
                with it.
        """
        check_choice('preset', preset, ROUTER_PRESETS)
        if preset.endswith('topk') and top_k is None:
            raise ValueError(
                f"'top_k' must be an integer for the preset {preset!r}, got "
                'None'
            )
        if not preset.endswith('topk') and top_k is not None:
            raise ValueError(
                f"'top_k' must be None for the preset {preset!r}, which "
                f'selects no fixed number of experts, got {top_k}'
            )
        arguments = {**ROUTER_PRESETS[preset], **kwargs}
        return cls(in_channels, num_experts, top_k, **arguments)

    def reset_parameters(self) -> None:
        """Resets the scores' parameters."""
        self.score_gate.reset_parameters()
        if self.score_noise is not None:
            self.score_noise.reset_parameters()

    def forward(self, x: Tensor) -> Routing:
        """Routes nodes.

        Args:
            x: Node features of shape :math:`(N, D)`.

        Raises:
            ValueError: If :obj:`x` has another shape or type, or contains
                NaN or infinity (checked on the CPU only, where it costs no
                synchronisation).
        """
        if x.dim() != 2 or x.size(1) != self.in_channels:
            raise ValueError(
                f"'x' must have shape [num_nodes, {self.in_channels}], got "
                f'{list(x.shape)}'
            )
        if not x.is_floating_point():
            raise ValueError(
                f"'x' must be a floating-point tensor, got {x.dtype}"
            )
        dtype = torch.promote_types(x.dtype, torch.float32)
        with torch.autocast(x.device.type, enabled=False):
            return self._route(x.to(dtype))

    def _route(self, x: Tensor) -> Routing:
        clean, raw = self._scores(x)
        noise = None if raw is None else torch.randn_like(clean)
        if self.top_k is not None and self.normalize == 'softmax':
            selected = ops.noisy_topk(
                clean, raw, noise, self.top_k, self.topk_first
            )
            _check_finite(selected.logits)
            return self._routing(*selected)

        noisy, scale = add_noise(clean, raw, noise)
        _check_finite(noisy)
        normalize = NORMALIZATIONS[self.normalize]
        if self.top_k is None:
            return self._routing(normalize(noisy), None, noisy, None)
        selected = select(
            clean, noisy, scale, self.top_k, self.topk_first, normalize
        )
        return self._routing(*selected)

    def _scores(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        # Of the experts, and of the scale of the noise where it is drawn.
        gate, noise = self.score_gate, self.score_noise
        if not self.training or noise is None:
            return gate(x), None
        if not isinstance(gate, LinearScore):
            return gate(x), noise(x)
        clean, raw = linear_scores(x, [gate, noise]).chunk(2, dim=1)
        return clean, raw

    def _routing(
        self,
        weight: Tensor,
        expert: Tensor | None,
        logits: Tensor,
        load: Tensor | None,
    ) -> Routing:
        num_nodes, width = weight.shape
        if expert is None:
            expert = torch.arange(width, device=weight.device)
            expert = expert.expand(num_nodes, -1)
        if self.normalize == 'softmax':
            ptr = torch.arange(
                0, num_nodes * width + 1, width, device=weight.device
            )
            slots_per_node = width
            expert, weight = expert.reshape(-1), weight.reshape(-1)
        else:
            keep = weight > 0
            ptr = torch.zeros(
                num_nodes + 1, dtype=torch.long, device=weight.device
            )
            torch.cumsum(keep.sum(dim=1), dim=0, out=ptr[1:])
            slots_per_node = None
            expert, weight = expert[keep], weight[keep]
        return Routing(
            ptr=ptr,
            expert=expert,
            weight=weight,
            num_experts=self.num_experts,
            slots_per_node=slots_per_node,
            logits=logits,
            load_probabilities=load,
        )

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, '
            f'num_experts={self.num_experts}, top_k={self.top_k}, '
            f'score={self.score!r}, normalize={self.normalize!r}, '
            f'noise={self.noise}, topk_first={self.topk_first})'
        )


def _check_finite(logits: Tensor) -> None:
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
