"""The sizes and arguments of PyG convolutions, and how they are called."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from inspect import Parameter, Signature, signature
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import (
    EdgeConv,
    GatedGraphConv,
    HEATConv,
    MixHopConv,
    RGATConv,
)

from gmoe.ops.check import check_ids

#: Arguments that ask for what experts do not give.
NOT_FOR_NODES = ('size', 'return_attention_weights')

# What convolutions raise where an argument is missing.
_UNCLEAR = (AssertionError, AttributeError, RuntimeError, TypeError)

#: The class of a module. Without its type, since mypy does not accept classes
#: of modules as keys of a cache.
class_of: Any = type

_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


@lru_cache(maxsize=256)
def signature_of(kind: Any) -> Signature:
    """The signature of the :meth:`forward` of a class of modules."""
    full = signature(kind.forward)
    # Without the module itself.
    return full.replace(parameters=list(full.parameters.values())[1:])


@lru_cache(maxsize=256)
def _besides_graph(kind: Any) -> list[tuple[str, Parameter]]:
    # What convolutions of a class take besides nodes and edges.
    return [
        (name, argument)
        for name, argument in list(signature_of(kind).parameters.items())[1:]
        if name not in ('edge_index', *NOT_FOR_NODES)
        and argument.kind not in _VARIADIC
    ]


def channels(module: nn.Module, side: str) -> object:
    """The size of a convolution's input or output. It is not always a number:
    convolutions of PyG also have pairs of sizes, -1 and :obj:`None`.

    Args:
        module: The convolution.
        side: :obj:`"in"` or :obj:`"out"`.
    """
    is_input = side == 'in'
    size: object = getattr(module, f'{side}_channels', None)
    if size is None:
        size = getattr(module, 'channels', None)
    if size is None and isinstance(module, GatedGraphConv):
        size = module.out_channels
    if size is None:
        # GINConv and its like hold only their network.
        size = next(iter(_sizes(module, side)[:: 1 if is_input else -1]), None)
        if is_input and isinstance(size, int) and isinstance(module, EdgeConv):
            size = size // 2  # A node beside its difference to another.
    if isinstance(size, tuple) and len(set(size)) == 1:
        size = size[0]
    if is_input or not isinstance(size, int):
        return size
    if getattr(module, 'concat', False):
        size = size * getattr(module, 'heads', 1)
    if isinstance(module, MixHopConv):
        size = size * len(module.powers)
    if isinstance(module, RGATConv):
        size = size * module.dim
    return size


def is_size(size: object) -> bool:
    """Whether a size is a number of channels, and not unknown or left open.

    Args:
        size: The size, as :func:`channels` gives it.
    """
    return isinstance(size, int) and not isinstance(size, bool) and size >= 1


def check_takes_graph(module: nn.Module, name: str) -> None:
    """Refuses a convolution that is not one of nodes along edges.

    Args:
        module: The convolution.
        name: The argument that it was given as.

    Raises:
        ValueError: If it has no argument ``edge_index`` after that of the
            nodes.
    """
    arguments = list(signature_of(class_of(module)).parameters)
    if 'edge_index' not in arguments[1:]:
        raise ValueError(
            f"'{name}' must hold convolutions of nodes 'x' along edges "
            f"'edge_index', got {type(module).__name__}, which takes "
            f'({", ".join(arguments)}); leave it as it is and convert the '
            'others one by one: model.conv = to_gmoe(model.conv, ...)'
        )


def takes(module: nn.Module, name: str) -> bool:
    """Whether a convolution has an argument of this name."""
    arguments = signature_of(class_of(module)).parameters
    return name in arguments or any(
        argument.kind is Parameter.VAR_KEYWORD
        for argument in arguments.values()
    )


def call(
    module: nn.Module,
    x: Tensor,
    edge_index: Tensor,
    edge_attr: Tensor | None,
    others: Mapping[str, Any],
) -> Tensor:
    """Calls a convolution with those of the arguments that it takes.

    Args:
        module: The convolution.
        x: Node features.
        edge_index: The edges.
        edge_attr: Their features of shape :math:`(E, F)`; for a convolution
            that takes weights or types of edges in place of features, these.
        others: Arguments by name.

    Raises:
        ValueError: If it needs an argument that is missing, the type of an
            edge is out of range, or it gives anything but one row per node.
    """
    given: dict[str, Any] = {}
    if others:
        given = {k: v for k, v in others.items() if takes(module, k)}
    if 'edge_type' in given:
        _check_types(module, given['edge_type'], 'edge_type')
    if edge_attr is not None:
        given |= edge_argument(module, edge_attr, given)
    for name, argument in _besides_graph(class_of(module)):
        if argument.default is Parameter.empty and name not in given:
            raise ValueError(
                f"'{name}' must be given for {type(module).__name__}, got None"
            )
    try:
        out = module(x, edge_index=edge_index, **given)
    except _UNCLEAR as error:
        names = [
            f"'{n}'"
            for n, _ in _besides_graph(class_of(module))
            if n not in given
        ]
        # Without anything left out, an error of a layer's own is as good.
        if isinstance(error, torch.OutOfMemoryError) or not (
            names or isinstance(error, AssertionError)
        ):
            raise
        raise ValueError(
            f'{" and ".join(names) or "The input"} must be what '
            f'{type(module).__name__} needs, got '
            f'{"None" if names else "another"}, which it refuses: '
            f'{error or type(error).__name__}'
        ) from error
    if not isinstance(out, Tensor) or out.dim() != 2:
        what = list(out.shape) if isinstance(out, Tensor) else type(out)
        raise ValueError(
            "'modules' must give one tensor of shape [num_nodes, "
            f'out_channels], got {what} from {type(module).__name__}: leave '
            'it as it is'
        )
    return out


def edge_argument(
    module: nn.Module, edge_attr: Tensor, given: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The edge features under the name that a convolution has for them.

    Args:
        module: The convolution.
        edge_attr: The features of shape :math:`(E, F)`.
        given: The arguments that it gets by name.

    Raises:
        ValueError: If they are no weights or types where it takes those.
    """
    kind = type(module).__name__
    if takes(module, 'edge_attr'):
        return {'edge_attr': edge_attr}
    if takes(module, 'edge_weight') and 'edge_weight' not in given:
        if edge_attr.size(1) != 1:
            raise ValueError(
                "'edge_attr' must have one feature, as the weight of each "
                f'edge for {kind}, got {edge_attr.size(1)}'
            )
        return {'edge_weight': edge_attr.view(-1)}
    if takes(module, 'edge_type') and 'edge_type' not in given:
        if edge_attr.size(1) != 1 or edge_attr.is_floating_point():
            raise ValueError(
                "'edge_attr' must be one integer for each edge, its type for "
                f'{kind}, got {edge_attr.dtype} of shape '
                f"{list(edge_attr.shape)}; give types as 'edge_type'"
            )
        _check_types(module, edge_attr, 'edge_attr')
        return {'edge_type': edge_attr.view(-1)}
    return {}


def _check_types(module: nn.Module, types: object, name: str) -> None:
    # Some convolutions leave out edges of types that they do not know.
    known = getattr(module, 'num_relations', None)
    if isinstance(module, HEATConv):
        known = module.edge_type_emb.num_embeddings
    if known is not None and isinstance(types, Tensor):
        check_ids(name, types, known)


def _sizes(module: nn.Module, side: str) -> list[object]:
    # The input or output sizes of the linear maps of a module's network.
    network = getattr(module, 'nn', None)
    if not isinstance(network, nn.Module):
        return []
    sizes = [
        getattr(m, f'{side}_features', getattr(m, f'{side}_channels', None))
        for m in network.modules()
    ]
    return [size for size in sizes if size is not None]


def without_rows(module: nn.Module, x: Tensor, channels: int) -> Tensor:
    """The output of a module for no rows. In distributed training, every
    parameter needs a gradient.

    Args:
        module: The module.
        x: What has the type and the device of the output.
        channels: The size of its rows.
    """
    unused = sum(p.sum() * 0 for p in module.parameters())
    return x.new_zeros(0, channels) + unused
