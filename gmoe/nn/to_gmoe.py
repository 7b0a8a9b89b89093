"""Turns a model's convolutions into mixtures of experts."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from gmoe.nn.conv import GMoEConv, ModuleExperts
from gmoe.ops import two_hop_edges
from gmoe.routing import Router


class GMoEAdapter(nn.Module):
    r"""A :class:`GMoEConv` that is called as the convolution that it stands
    for, with edge features by whichever name the model gives them. Hop-2
    edges, where experts need them, are made from the edges of each call.

    Args:
        conv: The mixture.
    """

    def __init__(self, conv: GMoEConv) -> None:
        super().__init__()
        self.conv = conv

    def reset_parameters(self) -> None:
        """Resets all parameters."""
        self.conv.reset_parameters()

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_attr: Tensor | None = None,
        *,
        edge_weight: Tensor | None = None,
    ) -> Tensor:
        """Convolves node features :math:`(N, D)` along edges
        :math:`(2, E)`.
        """
        if edge_attr is not None and edge_weight is not None:
            raise ValueError(
                "Only one of 'edge_attr' and 'edge_weight' can be given, got "
                'both'
            )
        edge_attr = edge_weight if edge_attr is None else edge_attr
        edge_index_2hop = None
        if self.conv.experts.num_experts_2hop > 0:
            if edge_attr is not None:
                raise ValueError(
                    "'num_experts_1hop' must be all experts where the model "
                    'has edge features: a hop-2 edge has twice as many, which'
                    ' its convolutions do not expect'
                )
            edge_index_2hop, _ = two_hop_edges(edge_index, num_nodes=x.size(0))
        return self.conv(x, edge_index, edge_attr, edge_index_2hop)


def to_gmoe(
    model: nn.Module,
    num_experts: int,
    top_k: int,
    num_experts_1hop: int | None = None,
    norm: str | None = None,
    **kwargs: Any,
) -> nn.Module:
    r"""Replaces each PyG convolution of a model by a mixture of
    :obj:`num_experts` of its kind, each with parameters of its own. The given
    model stays as it is::

        model = to_gmoe(GraphSAGE(64, 64, num_layers=3), 4, top_k=2)
        with collect_routing(model) as routings:
            out = model(x, edge_index)
        loss = loss + 0.1 * balance_loss(routings)

    Args:
        model: A model whose convolutions are PyG
            :class:`~torch_geometric.nn.MessagePassing` modules with
            ``reset_parameters`` and known sizes (no lazy ones).
        num_experts: Number of experts of each layer.
        top_k: Number of experts selected per node.
        num_experts_1hop: Number of hop-1 experts; the others look at hop-2
            edges, which are made in the forward pass. (default: all)
        norm: Per-expert normalisation, if the model has none of its own after
            its convolutions. (default: :obj:`None`)
        **kwargs: Arguments of :class:`~gmoe.routing.Router`.

    Raises:
        ValueError: If the model has no convolution, or one of them cannot be
            replaced.
    """
    model = copy.deepcopy(model)
    # A convolution that is used at several places stays one mixture.
    mixtures: dict[nn.Module, GMoEAdapter] = {}

    def replace(module: nn.Module) -> nn.Module:
        if isinstance(module, MessagePassing):
            if module not in mixtures:
                mixtures[module] = _mixture(module)
            return mixtures[module]
        for name, child in module._modules.items():
            if child is None or isinstance(child, (GMoEAdapter, GMoEConv)):
                continue
            setattr(module, name, replace(child))
        return module

    def _mixture(conv: MessagePassing) -> GMoEAdapter:
        experts = [copy.deepcopy(conv) for _ in range(num_experts)]
        bank = ModuleExperts(experts, num_experts_1hop)
        bank.reset_parameters()
        router = Router(bank.in_channels, num_experts, top_k, **kwargs)
        mixture = GMoEConv(bank, router=router, norm=norm)
        reference = next(conv.parameters(), None)
        if reference is not None:
            mixture = mixture.to(reference.device, reference.dtype)
        return GMoEAdapter(mixture).train(conv.training)

    model = replace(model)
    if len(mixtures) == 0:
        raise ValueError(
            "'model' must contain at least one PyG MessagePassing module, got "
            f'{model}'
        )
    return model
