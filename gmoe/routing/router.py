"""Router = score -> noise -> normalise -> select."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gmoe.common.arguments import check_choice, check_integer
from gmoe.routing.graphs import check_batch, mean_of
from gmoe.routing.normalize import NORMALIZATIONS
from gmoe.routing.routing import Routing
from gmoe.routing.score import (
    AttentionScore,
    CosineScore,
    LinearScore,
    linear_scores,
)
from gmoe.routing.select import (
    NonFiniteError,
    Scores,
    Selection,
    routing_of,
)
from gmoe.routing.selections import make_selection
from gmoe.routing.uniform import UniformRouter

__all__ = ['ROUTER_PRESETS', 'NonFiniteError', 'Router', 'UniformRouter']

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

#: What is routed as one.
LEVELS = ('node', 'graph')

_SCORES = {
    'linear': LinearScore,
    'attention': AttentionScore,
    'cosine': CosineScore,
}


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

    Other selections than these are chosen by :obj:`select`::

        Router(64, num_experts=8, select='top_p', select_kwargs={'p': 0.5})

    Args:
        in_channels: Size of each node's features.
        num_experts: Number of experts :math:`n`.
        top_k: Number of experts selected per node; :obj:`None` selects every
            expert with a weight above zero. (default: :obj:`None`)
        score: :obj:`"linear"`, :obj:`"attention"` (scaled dot product with
            learned expert embeddings) or :obj:`"cosine"` (cosine similarity
            with them). (default: :obj:`"linear"`)
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
        select: Another selection: a key of ``SELECTIONS`` (:obj:`"top_p"`,
            :obj:`"top_any"`, :obj:`"balanced_top_k"`,
            :obj:`"expert_choice"`), or a :class:`Selection`. It has its own
            weights, so :obj:`normalize` and :obj:`topk_first` must be left as
            they are. (default: by :obj:`top_k`)
        select_kwargs: The arguments of the selection that is named.
        level: :obj:`"node"` routes each node. :obj:`"graph"` routes each
            graph by the mean of its nodes' features, and all of its nodes
            follow: same experts, same weights, same noise.

    Shapes:
        - **input:** node features :math:`(N, D)`, and the graph of each node
          :math:`(N)` where :attr:`needs_batch`
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
        select: str | Selection | None = None,
        select_kwargs: Mapping[str, Any] | None = None,
        level: str = 'node',
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
        selection = make_selection(
            num_experts, top_k, normalize, topk_first, select, select_kwargs
        )
        check_choice('level', level, LEVELS)
        if level == 'graph' and selection.needs_batch:
            raise ValueError(
                "'level' must be 'node' where the selection is made among the "
                f'nodes of a graph, got {level!r}'
            )
        self.in_channels = in_channels
        self.num_experts = num_experts
        self.top_k = top_k
        self.score = score
        self.normalize = normalize
        self.noise = selection.noisy if noise is None else noise
        self.topk_first = top_k is not None and topk_first is not False
        self.select = select
        self.level = level

        self.score_gate = _SCORES[score](in_channels, num_experts)
        self.score_noise = (
            LinearScore(in_channels, num_experts) if self.noise else None
        )
        self.selection = selection

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

    @property
    def needs_batch(self) -> bool:
        """Whether the graph of each node matters."""
        return self.level == 'graph' or self.selection.needs_batch

    def reset_parameters(self) -> None:
        """Resets the scores' parameters, and what the selection learns."""
        self.score_gate.reset_parameters()
        if self.score_noise is not None:
            self.score_noise.reset_parameters()
        self.selection.reset_parameters()

    def forward(self, x: Tensor, batch: Tensor | None = None) -> Routing:
        """Routes nodes.

        Args:
            x: Node features of shape :math:`(N, D)`.
            batch: The graph of each node, int64 of shape :math:`(N)`. It is
                looked at where :attr:`needs_batch`. (default: one graph)

        Raises:
            ValueError: If :obj:`x` or :obj:`batch` has another shape or type,
                or :obj:`x` contains NaN or infinity (checked on the CPU only,
                where it costs no synchronisation).
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
            return self._route(x.to(dtype), batch)

    def _route(self, x: Tensor, batch: Tensor | None) -> Routing:
        graph = check_batch(batch, x) if self.needs_batch else None
        rows = graph if self.level == 'graph' else None
        clean, raw = self._scores(x if rows is None else mean_of(x, rows))
        noise = None if raw is None else torch.randn_like(clean)
        selected = self.selection(Scores(clean, raw, noise, graph))
        if rows is not None:
            selected = selected.of_rows(rows)
        return routing_of(selected, self.num_experts)

    def clean_scores(self, x: Tensor, batch: Tensor | None = None) -> Tensor:
        """The scores without noise, of shape :math:`(N, n)`.

        Args:
            x: Node features, as in the forward pass.
            batch: The graph of each node, likewise.
        """
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        if self.level == 'node':
            return self.score_gate(x)
        batch = check_batch(batch, x)
        return self.score_gate(mean_of(x, batch))[batch]

    def _scores(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        # Of the experts, and of the scale of the noise where it is drawn.
        gate, noise = self.score_gate, self.score_noise
        if not self.training or noise is None:
            return gate(x), None
        if not isinstance(gate, LinearScore):
            return gate(x), noise(x)
        clean, raw = linear_scores(x, [gate, noise]).chunk(2, dim=1)
        return clean, raw

    def __repr__(self) -> str:
        more = '' if self.select is None else f', select={self.selection}'
        more += '' if self.level == 'node' else f', level={self.level!r}'
        return (
            f'{self.__class__.__name__}({self.in_channels}, '
            f'num_experts={self.num_experts}, top_k={self.top_k}, '
            f'score={self.score!r}, normalize={self.normalize!r}, '
            f'noise={self.noise}, topk_first={self.topk_first}{more})'
        )
