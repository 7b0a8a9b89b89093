"""The layers of the networks: one convolution, or a mixture of experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn
from torch_geometric.nn import MessagePassing

from gmoe.nn.conv import OGBGCNConv, OGBGINConv, RelationalConv
from gmoe.nn.experts import (
    ExpertBank,
    GCNExperts,
    GINExperts,
    RelationalExperts,
)
from gmoe.nn.gmoe_conv import GMoEConv
from gmoe.nn.norm import NORMS
from gmoe.routing import Router, UniformRouter

EdgeDims = int | Sequence[int] | None

#: The kinds of convolutions by name.
CONVS: dict[str, type[MessagePassing]] = {
    'gcn': OGBGCNConv,
    'gin': OGBGINConv,
    'relational': RelationalConv,
}


def make_layer(
    conv: str,
    channels: int,
    num_experts: int,
    num_experts_1hop: int,
    top_k: int | None,
    router: str,
    norm: str,
    combine: str,
    dispatch: str,
    edge_dims: EdgeDims,
    router_kwargs: dict[str, Any] | None = None,
) -> tuple[nn.Module, nn.Module]:
    r"""Makes a convolution and what normalises its output: a mixture
    normalises inside, expert by expert.

    Args:
        conv: A key of :obj:`CONVS`.
        channels: Size of the node features :math:`D`.
        num_experts: Number of experts :math:`n`; 1 for a single convolution.
        num_experts_1hop: Number of hop-1 experts :math:`m`.
        top_k: Number of experts selected per node.
        router: A key of :obj:`gmoe.routing.ROUTER_PRESETS`, or
            :obj:`"uniform"`.
        norm: :obj:`"batch_norm"` or :obj:`"layer_norm"`.
        combine: :obj:`"sum"` or :obj:`"mean"`.
        dispatch: :obj:`"sparse"` or :obj:`"dense"`.
        edge_dims: What the edge features are.
        router_kwargs: Arguments of the router that override the preset's.

    Raises:
        ValueError: If an argument is out of range.
    """
    if num_experts == 1:
        if num_experts_1hop == 0:
            edge_dims = _double(edge_dims)
        plain = _make_plain(conv, channels, edge_dims, norm)
        return plain, NORMS[norm](channels)
    bank = _make_bank(
        conv, channels, num_experts, num_experts_1hop, edge_dims, norm
    )
    mixture = GMoEConv(
        bank,
        router=_make_router(
            router, channels, num_experts, top_k, router_kwargs or {}
        ),
        norm=norm,
        combine=combine,
        dispatch=dispatch,
    )
    return mixture, nn.Identity()


def _make_plain(
    conv: str, channels: int, edge_dims: EdgeDims, norm: str
) -> MessagePassing:
    if conv == 'gin':
        return OGBGINConv(channels, channels, edge_dims, norm)
    if conv == 'relational':
        return RelationalConv(channels, channels, edge_dims, 'gate')
    return OGBGCNConv(channels, channels, edge_dims)


def _make_bank(
    conv: str,
    channels: int,
    num_experts: int,
    num_experts_1hop: int,
    edge_dims: EdgeDims,
    norm: str,
) -> ExpertBank:
    sizes = (channels, channels, num_experts, num_experts_1hop, edge_dims)
    if conv == 'gin':
        return GINExperts(*sizes, norm=norm)
    if conv == 'relational':
        return RelationalExperts(*sizes, composition='gate')
    return GCNExperts(*sizes)


def mixture_layers(
    num_experts: int, moe_layers: Sequence[int] | None, num_layers: int
) -> tuple[int, ...]:
    """Which of a network's layers are mixtures, in ascending order.

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


def _make_router(
    router: str,
    in_channels: int,
    num_experts: int,
    top_k: int | None,
    router_kwargs: dict[str, Any],
) -> Router | UniformRouter:
    if router == 'uniform':
        if top_k is not None:
            raise ValueError(
                "'top_k' must be None for router='uniform', which uses every "
                f'expert, got {top_k}'
            )
        if router_kwargs:
            raise ValueError(
                "'router_kwargs' must be None for router='uniform', which "
                f'takes none, got {router_kwargs}'
            )
        return UniformRouter(num_experts)
    return Router.from_preset(
        router, in_channels, num_experts, top_k, **router_kwargs
    )


def _double(edge_dims: EdgeDims) -> EdgeDims:
    # A hop-2 edge carries the features of its two edges in order.
    if edge_dims is None:
        return None
    if isinstance(edge_dims, int):
        return 2 * edge_dims
    return (*edge_dims, *edge_dims)
