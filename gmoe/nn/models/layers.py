"""The layers of the networks: one convolution, or a mixture of experts."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from gmoe.common.arguments import check_choice, check_integer
from gmoe.common.shown import shown
from gmoe.nn.arguments import count_1hop
from gmoe.nn.conv import (
    LinearGCNConv,
    OGBGCNConv,
    OGBGINConv,
    RelationalConv,
)
from gmoe.nn.experts import (
    ExpertBank,
    GCNExperts,
    GINExperts,
    LinearGCNExperts,
    RelationalExperts,
)
from gmoe.nn.gmoe_conv import COMBINATIONS, DISPATCHES, GMoEConv
from gmoe.nn.norm import NORMS
from gmoe.routing import ROUTER_PRESETS, Router, UniformRouter

EdgeDims = int | Sequence[int] | None

#: The kinds of convolutions by name: a single one, and a bank of them.
CONVS: dict[str, tuple[Any, Any]] = {
    'gcn': (OGBGCNConv, GCNExperts),
    'linear_gcn': (LinearGCNConv, LinearGCNExperts),
    'gin': (OGBGINConv, GINExperts),
    'relational': (RelationalConv, RelationalExperts),
}

# What a router takes besides its sizes.
_ROUTER_ARGUMENTS = list(inspect.signature(Router).parameters)[3:]


@dataclass(frozen=True)
class MixtureSettings:
    """The settings that all mixtures of a network have in common.

    Args:
        num_experts: Number of experts :math:`n`; 1 for a single convolution.
        num_experts_1hop: Number of hop-1 experts :math:`m`; the others look
            at hop-2 edges. (default: all)
        top_k: Number of experts selected per node.
        router: A key of :obj:`gmoe.routing.ROUTER_PRESETS`;
            :obj:`"uniform"`; or :obj:`None` for a :class:`Router` of
            :obj:`router_kwargs` alone.
        router_kwargs: Arguments of :class:`~gmoe.routing.Router` that
            override the preset's.
        norm: Normalisation after each expert, :obj:`"batch_norm"`,
            :obj:`"layer_norm"` or :obj:`None`.
        combine: :obj:`"sum"` or :obj:`"mean"`.
        dispatch: :obj:`"sparse"` or :obj:`"dense"`.
        num_shared_experts: Number of hop-1 experts that every node uses
            beside the chosen ones.
        router_columns: Number of columns that the router sees beside the
            features of nodes.
        router_neighborhood: Whether it sees the mean of the features of a
            node's neighbours, too.

    Raises:
        ValueError: If a setting is out of range, or several do not go
            together.
    """

    num_experts: int
    num_experts_1hop: int | None = None
    top_k: int | None = None
    router: str | None = None
    router_kwargs: Mapping[str, Any] | None = None
    norm: str | None = None
    combine: str = 'sum'
    dispatch: str = 'sparse'
    num_shared_experts: int = 0
    router_columns: int = 0
    router_neighborhood: bool = False

    def __post_init__(self) -> None:
        count_1hop(self.num_experts, self.num_experts_1hop)
        check_integer(
            0,
            num_shared_experts=self.num_shared_experts,
            router_columns=self.router_columns,
        )
        for name in (
            'num_shared_experts',
            'router_columns',
            'router_neighborhood',
        ):
            if self.num_experts == 1 and getattr(self, name):
                none = type(getattr(self, name))()
                raise ValueError(
                    f"'{name}' must be {none} for a network without mixtures, "
                    f'got {getattr(self, name)}'
                )
        check_choice('router', self.router, (*ROUTER_PRESETS, 'uniform', None))
        if not isinstance(self.router_kwargs, Mapping | None):
            raise ValueError(
                "'router_kwargs' must be a mapping or None, got "
                f'{shown(self.router_kwargs)}'
            )
        for name in self.router_kwargs or {}:
            check_choice('router_kwargs', name, _ROUTER_ARGUMENTS)
        check_choice('norm', self.norm, (*NORMS, None))
        check_choice('combine', self.combine, COMBINATIONS)
        check_choice('dispatch', self.dispatch, DISPATCHES)
        if self.num_experts > 1 and self.router == 'uniform':
            for name in ('top_k', 'router_kwargs'):
                if getattr(self, name) not in (None, {}):
                    raise ValueError(
                        f"'{name}' must be None for router='uniform', which "
                        f'uses every expert, got {getattr(self, name)}'
                    )

    @property
    def needs_2hop(self) -> bool:
        """Whether there are hop-2 experts."""
        return count_1hop(self.num_experts, self.num_experts_1hop) < (
            self.num_experts
        )

    def make_router(self, in_channels: int) -> Router | UniformRouter:
        """The router of one mixture.

        Args:
            in_channels: Size of each node's features, without what the router
                sees beside them.

        Raises:
            ValueError: If an argument of the router is out of range.
        """
        if self.router == 'uniform':
            return UniformRouter(self.num_experts)
        size = in_channels * (2 if self.router_neighborhood else 1)
        size += self.router_columns
        sizes = (size, self.num_experts, self.top_k)
        # A selection that is given as such is not shared by layers.
        kwargs = copy.deepcopy(dict(self.router_kwargs or {}))
        if self.router is None:
            return Router(*sizes, **kwargs)
        return Router.from_preset(self.router, *sizes, **kwargs)

    def make(
        self, bank: ExpertBank, shared: ExpertBank | None = None
    ) -> GMoEConv:
        """The mixture of a bank of experts.

        Args:
            bank: The experts that are chosen among.
            shared: Those that every node uses.
        """
        return GMoEConv(
            bank,
            router=self.make_router(bank.in_channels),
            norm=self.norm,
            combine=self.combine,
            dispatch=self.dispatch,
            shared_experts=shared,
            router_neighborhood=self.router_neighborhood,
        )


def make_layer(
    conv: str, channels: int, edge_dims: EdgeDims, mixture: MixtureSettings
) -> tuple[nn.Module, nn.Module]:
    r"""Makes a convolution and what normalises its output: a mixture
    normalises inside, expert by expert.

    Args:
        conv: A key of :obj:`CONVS`.
        channels: Size of the node features :math:`D`.
        edge_dims: The numbers of categories of categorical edge features, the
            number of floating-point edge features, or :obj:`None`.
        mixture: The settings of the mixture. With one expert, the layer is a
            single convolution.

    Raises:
        ValueError: If an argument is out of range.
    """
    check_choice('conv', conv, CONVS)
    check_choice('norm', mixture.norm, NORMS)
    assert mixture.norm is not None
    single, bank = CONVS[conv]
    kwargs = {
        'gin': {'norm': mixture.norm},
        'relational': {'composition': 'gate'},
    }.get(conv, {})
    if mixture.num_experts == 1:
        if mixture.needs_2hop and edge_dims is not None:
            # A hop-2 edge carries the features of its two edges in order.
            if isinstance(edge_dims, int):
                edge_dims = 2 * edge_dims
            else:
                edge_dims = (*edge_dims, *edge_dims)
        layer = single(channels, channels, edge_dims, **kwargs)
        return layer, NORMS[mixture.norm](channels)
    experts = bank(
        channels,
        channels,
        mixture.num_experts,
        mixture.num_experts_1hop,
        edge_dims,
        **kwargs,
    )
    shared = None
    if (count := mixture.num_shared_experts) > 0:
        shared = bank(channels, channels, count, count, edge_dims, **kwargs)
    return mixture.make(experts, shared), nn.Identity()


def mixture_layers(
    num_experts: int, moe_layers: Sequence[int] | None, num_layers: int
) -> tuple[int, ...]:
    """The indices of a network's mixture layers, in ascending order.

    Args:
        num_experts: Number of experts; with 1, no layer is a mixture.
        moe_layers: The layers that are asked for. (default: all)
        num_layers: Number of layers.

    Raises:
        ValueError: If there is no such layer.
    """
    if num_experts == 1:
        return ()
    if moe_layers is None:
        return tuple(range(num_layers))
    for layer in moe_layers:
        if not 0 <= layer < num_layers:
            raise ValueError(
                f"'moe_layers' must hold layers from 0 to {num_layers - 1}, "
                f'got {layer}'
            )
    return tuple(sorted(set(moe_layers)))
