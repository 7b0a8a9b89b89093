"""Turns a model's convolutions into mixtures of experts."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch_geometric.nn import MessagePassing

from gmoe.common.arguments import check_choice
from gmoe.common.noise import check_noise
from gmoe.nn.arguments import check_nodes
from gmoe.nn.edge_check import check_dense
from gmoe.nn.edge_mask import clear_after_failure
from gmoe.nn.experts import ModuleExperts, expert_module
from gmoe.nn.experts.copies import copy_conv
from gmoe.nn.gmoe_conv import GMoEConv
from gmoe.nn.models.layers import MixtureSettings
from gmoe.nn.models.upcycle import check_gates
from gmoe.ops import two_hop_edges


class GMoEAdapter(nn.Module):
    r"""A :class:`GMoEConv` that is called as the convolution that it stands
    for, with arguments of the same names. Hop-2 edges, where experts need
    them, are made from the edges of each call.

    Args:
        conv: The mixture.
        template: In place of it, a convolution that does not know its sizes.
            The first call tells them, and makes the mixture.
        settings: How it is made.
        noise: As of :func:`_mixture`.
    """

    conv: GMoEConv | None

    def __init__(
        self,
        conv: GMoEConv | None,
        template: MessagePassing | None = None,
        settings: MixtureSettings | None = None,
        noise: float | None = None,
    ) -> None:
        super().__init__()
        self.conv = conv
        self.template = template
        self.settings = settings
        self.noise = noise

    def reset_parameters(self) -> None:
        """Resets all parameters."""
        if self.conv is not None:
            self.conv.reset_parameters()
        elif self.template is not None:
            self.template.reset_parameters()

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        r"""Convolves node features :math:`(N, D)` along edges
        :math:`(2, E)`, with what else the convolution takes.

        Raises:
            TypeError: If the convolution does not take the arguments.
            ValueError: If a mixture has no meaning for one of them.
        """
        x, edge_index, others = self._bind(args, kwargs)
        if self.conv is None:
            self._make(x, args, kwargs)
        assert self.conv is not None
        edge_attr = others.pop('edge_attr', None)
        edge_index_2hop = None
        if self.conv.experts.num_experts_2hop > 0:
            if edge_attr is not None or others:
                raise ValueError(
                    "'num_experts_1hop' must be all experts where the model "
                    'has edge features (a hop-2 edge has twice as many, which'
                    ' its convolutions do not expect), got '
                    f'{self.conv.experts.num_experts_1hop}'
                )
            edge_index_2hop, _ = two_hop_edges(edge_index, num_nodes=x.size(0))
        return self.conv(x, edge_index, edge_attr, edge_index_2hop, **others)

    def _bind(
        self, args: tuple, kwargs: dict[str, Any]
    ) -> tuple[Tensor, Any, dict[str, Any]]:
        """The nodes, the edges and the other arguments by name."""
        known: Any = type(self.expert)
        kind = known.__name__
        try:
            bound = expert_module.signature_of(known).bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f'A mixture of {kind}: {error}') from None
        first, x = next(iter(bound.arguments.items()))
        given = {k: v for k, v in bound.arguments.items() if v is not None}
        given.pop(first, None)
        for name in expert_module.NOT_FOR_NODES:
            if name in given:
                raise ValueError(
                    f"'{name}' must be None for a mixture of {kind}, got "
                    f'{given[name]}'
                )
        x = check_nodes(x, f' for a mixture of {kind}')
        return x, check_dense(given.pop('edge_index', None)), given

    @property
    def expert(self) -> nn.Module:
        """One of the convolutions."""
        if self.conv is not None:
            experts = self.conv.experts.experts
            assert isinstance(experts, nn.ModuleList)
            return experts[0]
        assert self.template is not None
        return self.template

    def _make(self, x: Tensor, args: tuple, kwargs: dict[str, Any]) -> None:
        """Makes the mixture for inputs as these."""
        assert self.template is not None
        assert self.settings is not None
        with torch.no_grad():
            out = self.template.eval()(*args, **kwargs)
        self.conv = _mixture(
            self.template, self.settings, self.noise, x.size(1), out.size(1)
        )
        self.conv.train(self.training)
        self.template = None

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            raise AttributeError(
                f"'{name}' must be asked of the experts of a mixture, which "
                f"are in 'conv.experts.experts', got {type(self).__name__}"
            ) from None


def to_gmoe(
    model: nn.Module,
    num_experts: int,
    top_k: int,
    num_experts_1hop: int | None = None,
    norm: str | None = None,
    keep_weights: bool = False,
    weight_noise: float = 0.01,
    **router_kwargs: Any,
) -> nn.Module:
    r"""Replaces each PyG convolution of a model by a mixture of
    :obj:`num_experts` of its kind, each with parameters of its own. The given
    model stays as it is::

        model = to_gmoe(GraphSAGE(64, 64, num_layers=3), 4, top_k=2)
        with collect_routing(model) as routings:
            out = model(x, edge_index)
        loss = loss + 0.1 * balance_loss(routings)

    The experts are drawn anew. With :obj:`keep_weights`, they begin as copies
    of a trained convolution, and without noise the outputs in evaluation are
    those of the model (`Komatsuzaki et al. 2023
    <https://arxiv.org/abs/2212.05055>`_, section 3; for networks of this
    package, see :func:`upcycle`).

    A convolution without parameters, such as
    :class:`~torch_geometric.nn.APPNP`, stays as it is: its experts would all
    be equal. One that does not know its sizes (``SAGEConv(-1, 64)``) becomes a
    mixture in the first call: call the model once before its parameters are
    given to an optimizer, as with PyG's lazy modules.

    Args:
        model: A model whose convolutions are PyG
            :class:`~torch_geometric.nn.MessagePassing` modules with
            ``reset_parameters``, of nodes of one kind along ``edge_index``.
        num_experts: Number of experts of each layer.
        top_k: Number of experts selected per node.
        num_experts_1hop: Number of hop-1 experts; the others look at hop-2
            edges, which are made in the forward pass. (default: all)
        norm: Per-expert normalisation, if the model has none of its own after
            its convolutions. (default: :obj:`None`)
        keep_weights: Whether the experts begin with the weights of the
            convolution. All look at hop-1 edges then, without a
            normalisation that the model has not.
        weight_noise: With them, the standard deviation of what is added to
            each expert's weights, over that of the weights; 1 at most.
        **router_kwargs: Arguments of :class:`~gmoe.routing.Router`.

    Raises:
        ValueError: If the model has no convolution with parameters, one of
            them cannot be replaced, or the weights cannot be kept.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"'model' must be a torch.nn.Module, got {str(model)[:60]}"
        )
    model = copy.deepcopy(model)
    settings = MixtureSettings(
        num_experts,
        num_experts_1hop,
        top_k,
        router_kwargs=router_kwargs,
        norm=norm,
    )
    # Refuses what is out of range.
    if settings.make_router(1).needs_batch:
        raise ValueError(
            "'router_kwargs' must be of a router that sees single nodes, as "
            'the convolutions of a model are not told of which graph a node '
            f'is, got {router_kwargs}'
        )
    check_choice('keep_weights', keep_weights, (False, True))
    noise = None
    if keep_weights:
        _check_kept(model, settings)
        check_noise(weight_noise, 'weight_noise')
        noise = weight_noise
    # A convolution that is used at several places stays one mixture.
    mixtures: dict[nn.Module, GMoEAdapter] = {}

    def replace(module: nn.Module) -> nn.Module:
        if isinstance(module, MessagePassing):
            if next(module.parameters(), None) is None:
                return module
            if module not in mixtures:
                mixtures[module] = _adapter(module, settings, noise)
            return mixtures[module]
        for name, child in module._modules.items():
            if child is None or isinstance(child, (GMoEAdapter, GMoEConv)):
                continue
            setattr(module, name, replace(child))
        return module

    model = replace(model)
    if len(mixtures) == 0:
        raise ValueError(
            "'model' must contain at least one PyG MessagePassing module with "
            f'parameters, got {type(model).__name__}'
        )
    model.register_forward_hook(clear_after_failure, always_call=True)
    return model


def _check_kept(model: nn.Module, settings: MixtureSettings) -> None:
    if any(isinstance(p, UninitializedParameter) for p in model.parameters()):
        raise ValueError(
            "'keep_weights' must be False for a model that was never called, "
            'as it has no weights yet, got True'
        )
    if any(isinstance(m, GMoEConv) for m in model.modules()):
        raise ValueError(
            "'model' must have no mixtures yet where 'keep_weights' is True, "
            f'got {type(model).__name__} with some'
        )
    wanted = {'num_experts_1hop': settings.num_experts, 'norm': None}
    for name, value in wanted.items():
        if getattr(settings, name) not in (None, value):
            raise ValueError(
                f"'{name}' must be {value} where 'keep_weights' is True, so "
                'that the first outputs are those of the model, got '
                f'{getattr(settings, name)!r}'
            )
    check_gates(settings.make_router(1))


def _adapter(
    conv: MessagePassing, settings: MixtureSettings, noise: float | None
) -> GMoEAdapter:
    expert_module.check_takes_graph(conv, 'model')
    sizes = [expert_module.channels(conv, side) for side in ('in', 'out')]
    if all(expert_module.is_size(size) for size in sizes):
        adapter = GMoEAdapter(_mixture(conv, settings, noise))
    elif isinstance(sizes[0], tuple) and -1 not in sizes[0]:
        raise ValueError(
            "'model' must hold convolutions of nodes of one size, got "
            f'{sizes[0]} for {type(conv).__name__}; make a graph of several '
            'kinds of nodes one of one kind first (to_homogeneous())'
        )
    else:
        adapter = GMoEAdapter(None, conv, settings, noise)
    return adapter.train(conv.training)


def _mixture(
    conv: MessagePassing,
    settings: MixtureSettings,
    noise: float | None,
    in_channels: int | None = None,
    out_channels: int | None = None,
) -> GMoEConv:
    # The sizes are those that the convolution does not know. Without a noise,
    # its weights are not kept.
    bank = ModuleExperts(
        [copy.deepcopy(conv) for _ in range(settings.num_experts)],
        settings.num_experts_1hop,
        in_channels=in_channels,
        out_channels=out_channels,
    )
    if noise is None:
        bank.reset_parameters()
    else:
        copy_conv(bank, conv, noise)
    reference = next(conv.parameters())
    return settings.make(bank).to(reference.device, reference.dtype)
