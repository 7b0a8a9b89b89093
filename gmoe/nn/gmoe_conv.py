"""The mixture-of-experts graph convolution."""

from __future__ import annotations

from typing import Any, Literal, overload

from torch import Tensor, nn

from gmoe import ops
from gmoe.common.arguments import check_choice
from gmoe.nn.arguments import check_dtype, check_nodes
from gmoe.nn.edge_mask import (
    EdgeMask,
    clear_after_failure,
    keep_masks_plain,
    masked_hops,
)
from gmoe.nn.experts.bank import ExpertBank
from gmoe.nn.hop_check import hop_2_of
from gmoe.nn.neighborhood import Neighborhood
from gmoe.nn.norm import NORMS, ExpertNorm
from gmoe.nn.router_view import router_view
from gmoe.nn.shared_experts import SharedExperts
from gmoe.routing import ExpertSlots, Router, Routing, UniformRouter

Edges = Tensor | Neighborhood | None

#: How the experts' outputs are put together, and which are computed.
COMBINATIONS = ('sum', 'mean')
DISPATCHES = ('sparse', 'dense')


class GMoEConv(nn.Module):
    r"""The graph mixture-of-experts layer of `"Graph Mixture of Experts:
    Learning on Large-Scale Graphs with Explicit Diversity Modeling"
    <https://arxiv.org/abs/2304.02806>`_.

    .. math::
        \mathbf{x}^{\prime}_i = \sum_{o \in \mathcal{T}_i} G_{io} \,
        \mathrm{norm}_o \big( \mathbf{h}_{io} \big), \qquad
        \mathbf{h}_{io} = \mathrm{expert}_o \big( \mathbf{x}_i, \{ \mathbf{x}_j
        : j \in \mathcal{N}_o(i) \} \big)

    A router chooses the experts :math:`\mathcal{T}_i` of each node;
    :math:`\mathcal{N}_o(i)` are its hop-1 or its hop-2 neighbours, depending
    on the expert.

    Args:
        experts: The bank of experts, such as :class:`GCNExperts`,
            :class:`GINExperts` or :class:`ModuleExperts`.
        top_k: The number of experts selected for each node, for the default
            router.
        router: The router, in place of the default noisy top-k gate. One with
            more :obj:`in_channels` than the experts sees more (see
            :obj:`router_input` of the forward pass).
        norm: Normalisation of each expert's outputs: :obj:`"batch_norm"`,
            :obj:`"layer_norm"` or :obj:`None`. (default:
            :obj:`"batch_norm"`)
        combine: :obj:`"sum"`, as in the paper's equation, or :obj:`"mean"`,
            as in its released code, which divides the weighted sum by the
            number of experts. On small molecule sets the mean trains far
            better.
        dispatch: :obj:`"sparse"` computes only what is routed. :obj:`"dense"`
            computes every expert on every node in training, as the released
            code does; its batch statistics are then those of all nodes. In
            evaluation, where that changes nothing, it is as sparse.
        shared_experts: A bank of experts that every node uses with weight 1,
            beside those that the router chooses (`DeepSeekMoE
            <https://arxiv.org/abs/2401.06066>`_, eq. 9). Their outputs are
            normalised as the others' and added, also where the others are
            divided by their number. A layer with :math:`s` shared and
            :math:`k` chosen experts costs as much as one with :math:`k + s`
            chosen ones. (default: none)
        router_neighborhood: Whether the router sees the mean of the features
            of a node's hop-1 neighbours beside its own. Its :obj:`in_channels`
            are then :math:`2 D_{in}`.

    Shapes:
        - **input:** node features :math:`(N, D_{in})`, edge indices
          :math:`(2, E)`, edge features :math:`(E, F)`, hop-2 edge indices
          :math:`(2, E_2)`, hop-2 edge features :math:`(E_2, 2 F)`
        - **output:** node features :math:`(N, D_{out})`, or
          ``(out, routing)`` if :obj:`return_routing`

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        experts: ExpertBank,
        top_k: int | None = None,
        router: Router | UniformRouter | None = None,
        norm: str | None = 'batch_norm',
        combine: str = 'sum',
        dispatch: str = 'sparse',
        shared_experts: ExpertBank | None = None,
        router_neighborhood: bool = False,
    ) -> None:
        super().__init__()
        check_choice('norm', norm, (*NORMS, None))
        check_choice('combine', combine, COMBINATIONS)
        check_choice('dispatch', dispatch, DISPATCHES)
        if (router is None) == (top_k is None):
            raise ValueError(
                "'top_k' or 'router' must be given, and not both, got "
                f'{top_k} and {router}'
            )
        if router is None:
            size = experts.in_channels * (2 if router_neighborhood else 1)
            router = Router(size, experts.num_experts, top_k)
        if router.num_experts != experts.num_experts:
            raise ValueError(
                "'router' and 'experts' must have the same number of experts,"
                f' got {router.num_experts} and {experts.num_experts}'
            )
        self.router = router
        self.experts = experts
        self.norm = (
            None
            if norm is None
            else ExpertNorm(experts.num_experts, experts.out_channels, norm)
        )
        self.shared = None
        if shared_experts is not None:
            self.shared = SharedExperts(shared_experts, norm, beside=experts)
        self.edge_mask = EdgeMask(2 if self.num_experts_2hop > 0 else 1)
        self.combine = combine
        self.dispatch = dispatch
        self.router_neighborhood = router_neighborhood
        self.register_forward_hook(clear_after_failure, always_call=True)

    @property
    def in_channels(self) -> int:
        """Size of each input node's features."""
        return self.experts.in_channels

    @property
    def out_channels(self) -> int:
        """Size of each output node's features."""
        return self.experts.out_channels

    @property
    def num_experts_1hop(self) -> int:
        """The number of hop-1 experts, shared ones included."""
        shared = self.shared.experts.num_experts_1hop if self.shared else 0
        return self.experts.num_experts_1hop + shared

    @property
    def num_experts_2hop(self) -> int:
        """The number of hop-2 experts, shared ones included."""
        shared = self.shared.experts.num_experts_2hop if self.shared else 0
        return self.experts.num_experts_2hop + shared

    @property
    def needs_batch(self) -> bool:
        """Whether the router looks at the graph of each node."""
        return getattr(self.router, 'needs_batch', False)

    def reset_parameters(self) -> None:
        """Resets all parameters and running statistics."""
        self.router.reset_parameters()
        self.experts.reset_parameters()
        if self.norm is not None:
            self.norm.reset_parameters()
        if self.shared is not None:
            self.shared.reset_parameters()

    @overload
    def forward(
        self,
        x: Tensor,
        edge_index: Edges,
        edge_attr: Tensor | None = None,
        edge_index_2hop: Edges = None,
        edge_attr_2hop: Tensor | None = None,
        *,
        return_routing: Literal[False] = False,
        batch: Tensor | None = None,
        router_input: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor: ...

    @overload
    def forward(
        self,
        x: Tensor,
        edge_index: Edges,
        edge_attr: Tensor | None = None,
        edge_index_2hop: Edges = None,
        edge_attr_2hop: Tensor | None = None,
        *,
        return_routing: Literal[True],
        batch: Tensor | None = None,
        router_input: Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, Routing]: ...

    def forward(
        self,
        x: Tensor,
        edge_index: Edges,
        edge_attr: Tensor | None = None,
        edge_index_2hop: Edges = None,
        edge_attr_2hop: Tensor | None = None,
        *,
        return_routing: bool = False,
        batch: Tensor | None = None,
        router_input: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor | tuple[Tensor, Routing]:
        r"""Convolves node features.

        Args:
            x: Node features.
            edge_index: Hop-1 edges, or a :class:`Neighborhood` of them.
            edge_attr: Hop-1 edge features, which a :class:`Neighborhood`
                holds itself.
            edge_index_2hop: Hop-2 edges (see :class:`gmoe.transforms.TwoHop`),
                or a :class:`Neighborhood` of them. Needed where there are
                hop-2 experts.
            edge_attr_2hop: Hop-2 edge features, as :obj:`edge_attr`.
            return_routing: Whether to return the :class:`Routing` too.
            batch: The graph of each node, for a router that looks at it (see
                :attr:`~gmoe.routing.Router.needs_batch`). (default: one
                graph)
            router_input: More columns for the router, beside the node
                features, of shape :math:`(N, C)` (see
                :class:`gmoe.transforms.RouterInput`), for as many more of
                its :obj:`in_channels`.
            **kwargs: What else the experts of :class:`ModuleExperts` take,
                such as ``edge_type``.

        Raises:
            ValueError: If an input has a wrong shape, type or range, or the
                hop-2 edges are missing, or not those of the hop-1 edges (see
                :func:`~gmoe.nn.hop_check.check_hop_2`).
        """
        check_nodes(x)
        hop1 = hop2 = None
        sees_edges = self.edge_mask.explain is True or self.router_neighborhood
        if self.num_experts_1hop > 0 or sees_edges:
            hop1 = Neighborhood.of(edge_index, edge_attr, x.size(0))
        near = hop1 if self.router_neighborhood else None
        seen = router_view(x, near, router_input)
        if self.needs_batch:
            routing = self.router(seen, batch)
        else:
            routing = self.router(seen)
            if batch is not None:
                kwargs['batch'] = batch
        check_dtype(x, self.experts)
        if self.num_experts_2hop > 0:
            count = self.num_experts_1hop + self.num_experts_2hop
            hop2 = hop_2_of(
                edge_index_2hop,
                edge_attr_2hop,
                edge_index if hop1 is None else hop1,
                x.size(0),
                f'{self.num_experts_2hop} of {count} experts look at hop-2 '
                'edges',
            )
        # The other experts change batch statistics alone.
        is_dense = self.dispatch == 'dense' and self.training
        used = routing.to_dense() if is_dense else routing
        slots = used.by_expert
        h, added = self._outputs(x, slots, hop1, hop2, kwargs)
        if self.norm is None:
            out = slots.combine(h, used.num_nodes)
        else:
            out = self.norm.combine(h, slots, used.num_nodes)
        if self.combine == 'mean':
            out = out / routing.num_experts
        if added is not None:
            out = out + added
        out = self.edge_mask(out)
        return (out, routing) if return_routing else out

    def _outputs(
        self,
        x: Tensor,
        slots: ExpertSlots,
        hop1: Neighborhood | None,
        hop2: Neighborhood | None,
        kwargs: dict[str, Any],
    ) -> tuple[Tensor, Tensor | None]:
        """The output of each slot, and of the shared experts at each node."""
        if self.edge_mask.explain is not True:
            return self._run(x, slots, hop1, hop2, kwargs)
        assert hop1 is not None
        with ops.eager_ops():
            hop1, hop2 = masked_hops(self.edge_mask, hop1, hop2)
            try:
                return self._run(x, slots, hop1, hop2, kwargs)
            finally:
                keep_masks_plain(self.experts)
                if self.shared is not None:
                    keep_masks_plain(self.shared)

    def _run(
        self,
        x: Tensor,
        slots: ExpertSlots,
        hop1: Neighborhood | None,
        hop2: Neighborhood | None,
        kwargs: dict[str, Any],
    ) -> tuple[Tensor, Tensor | None]:
        h = self.experts(x, slots, hop1, hop2, **kwargs)
        if self.shared is None:
            return h, None
        return h, self.shared(x, hop1, hop2, **kwargs)

    def extra_repr(self) -> str:
        return f'combine={self.combine!r}, dispatch={self.dispatch!r}'
