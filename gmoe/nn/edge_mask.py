"""The masks that PyG's explainers put on edges, for layers of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.explain.algorithm.utils import clear_masks
from torch_geometric.nn import MessagePassing

from gmoe.nn.neighborhood import Neighborhood

_FIELDS = ('_edge_mask', '_loop_mask', '_apply_sigmoid')


class EdgeMask(MessagePassing):
    """Shows PyG's explainers a layer that passes messages by itself: they put
    the mask of the edges on every
    :class:`~torch_geometric.nn.MessagePassing` module, take the number of
    these modules for the number of hops, and listen to their outputs.

    It has no parameters, and gives its input back.

    Args:
        num_hops: How far the layer looks.
    """

    def __init__(self, num_hops: int = 1) -> None:
        super().__init__()
        self.further = EdgeMask(num_hops - 1) if num_hops > 1 else None

    def __setattr__(self, name: str, value: Any) -> None:
        # Never a parameter: see keep_masks_plain.
        if name == '_edge_mask':
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def forward(self, out: Tensor) -> Tensor:
        """Gives the layer's output back."""
        return out

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}()'


def masked_hops(
    conv: MessagePassing, hop1: Neighborhood, hop2: Neighborhood | None = None
) -> tuple[Neighborhood, Neighborhood | None]:
    r"""The edges with the masks of the explanation that is being made; as
    they are where there is none.

    An explanation is one of hop-1 edges. The mask of a hop-2 edge is the
    product of the masks of its two edges. One that stands for several paths
    has the largest product.

    Args:
        conv: The module that an explainer put the mask on.
        hop1: The hop-1 edges.
        hop2: The hop-2 edges.

    Raises:
        ValueError: If there is no mask, or it belongs to other edges.
    """
    if not conv.explain:
        return hop1, hop2
    mask = conv._edge_mask
    shape = None if mask is None else list(mask.shape)
    if mask is None or shape != [hop1.num_edges]:
        raise ValueError(
            "'edge_mask' must have one value for each of the "
            f'{hop1.num_edges} edges while a prediction is explained, got '
            f'{shape}; torch_geometric.explain.algorithm.utils.clear_masks('
            'model) takes the masks of an earlier explanation away'
        )
    if conv._apply_sigmoid:
        mask = mask.sigmoid()
    mask = hop1.from_given(mask)
    if hop2 is not None:
        hop2 = hop2.masked(_two_hop_mask(hop1, hop2, mask))
    return hop1.masked(mask), hop2


@contextmanager
def use_mask(
    module: nn.Module, mask: Tensor, edge_index: Tensor
) -> Iterator[None]:
    """Replaces the masks of the modules inside that explain while the context
    is open.

    Args:
        module: The module that runs.
        mask: The factor of each edge, of shape :math:`(E)`.
        edge_index: The edges that it runs on, in the order of the mask.
    """
    saved: list[tuple[MessagePassing, dict[str, Any]]] = []
    for conv in module.modules():
        if isinstance(conv, MessagePassing) and conv.explain:
            saved.append((conv, {f: getattr(conv, f) for f in _FIELDS}))
            # A name that held a parameter takes no other tensor.
            del conv._edge_mask
            conv._edge_mask = mask
            conv._loop_mask = edge_index[0] != edge_index[1]
            conv._apply_sigmoid = False
    try:
        yield
    finally:
        for conv, fields in saved:
            for name, value in fields.items():
                setattr(conv, name, value)


@contextmanager
def explained_edges(
    conv: MessagePassing, hop: Neighborhood
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Edges and their features for a convolution that explains, whose mask is
    in their order while the context is open.

    Args:
        conv: The convolution.
        hop: The edges.
    """
    if hop.edge_mask is None:
        hop, _ = masked_hops(conv, hop)
    edge_index, mask = hop.edge_index, hop.edge_mask
    assert mask is not None
    with use_mask(conv, mask, edge_index):
        yield edge_index, hop.edge_attr


def clear_after_failure(model: nn.Module, args: Any, out: Any) -> None:
    """A forward hook that is always called: takes the masks away if the model
    ended in an error, since PyG's explainers then leave them.

    Args:
        model: The model.
        args: Its arguments.
        out: Its output; :obj:`None` after an error.
    """
    if out is None:
        clear_masks(model)


def forget_masks(model: nn.Module) -> None:
    """Takes away what is left of the masks of an earlier explanation: PyG
    leaves a parameter without a value, and gives a later mask, such as
    Captum's, to a parameter of its own then, which cuts it off its gradient.

    Args:
        model: The model, while it is not explained.
    """
    for conv in model.modules():
        if (
            isinstance(conv, MessagePassing)
            and conv._parameters.get('_edge_mask', conv) is None
        ):
            del conv._edge_mask
            conv._edge_mask = None


def keep_masks_plain(model: nn.Module) -> None:
    """Takes the masks of an explanation out of the parameters of the modules
    inside, which go on to have them. As a parameter, a mask would make PyG
    turn the next one, such as Captum's, into a parameter too, which cuts it
    off its gradient.

    Args:
        model: The model, while it is explained.
    """
    for conv in model.modules():
        if isinstance(conv, MessagePassing):
            mask = conv._parameters.pop('_edge_mask', conv)
            if mask is not conv:
                object.__setattr__(conv, '_edge_mask', mask)


def _two_hop_mask(
    hop1: Neighborhood, hop2: Neighborhood, mask: Tensor
) -> Tensor:
    if hop2.num_edges == 0:
        return mask.new_zeros(0)
    first, second, pair_of_path, path, pair = hop2.memo(
        ('paths', hop1), lambda: _paths(hop1, hop2)
    )
    product = mask[first] * mask[second]
    largest = product.new_zeros(int(pair.amax()) + 1).scatter_reduce(
        0, pair_of_path, product, 'amax', include_self=False
    )
    return torch.where(path >= 0, product[path.clamp(min=0)], largest[pair])


def _paths(hop1: Neighborhood, hop2: Neighborhood) -> tuple[Tensor, ...]:
    """The paths of two hop-1 edges between the ends of hop-2 edges: both
    edges and the pair of each path; the path of each hop-2 edge, or -1 where
    any path of its pair will do, and its pair.
    """
    num_nodes = hop1.num_nodes
    pair = hop2.source * num_nodes + hop2.target
    pairs, edge_group = pair.unique(return_inverse=True)
    # Each edge after each of those that end where it starts.
    degree = hop1.ptr.diff()[hop1.source]
    second = torch.arange(hop1.num_edges, device=pair.device)
    second = second.repeat_interleave(degree)
    start = hop1.ptr[hop1.source] - (degree.cumsum(0) - degree)
    first = torch.arange(second.numel(), device=pair.device) + start[second]
    pair = hop1.source[first] * num_nodes + hop1.target[second]
    found = torch.isin(pair, pairs)
    first, second, pair = first[found], second[found], pair[found]
    group = torch.searchsorted(pairs, pair)
    # Paths in the order in which hop-2 edges are made.
    given = hop1.order
    if given is None:
        given = torch.arange(hop1.num_edges, device=pair.device)
    order = (given[first] * hop1.num_edges + given[second]).argsort()
    order = order[group[order].argsort(stable=True)]
    first, second, group = first[order], second[order], group[order]

    num_paths = group.bincount(minlength=pairs.numel())
    num_edges = edge_group.bincount(minlength=pairs.numel())
    if not bool((num_paths > 0).all()):
        at = int((num_paths == 0).nonzero()[0])
        u, w = divmod(int(pairs[at]), num_nodes)
        raise ValueError(
            "'edge_index_2hop' must lead along two edges of 'edge_index' "
            f'where a prediction is explained, got {u} -> {w}, which does not'
        )
    # As many edges as paths: each stands for its own.
    given = torch.arange(hop2.num_edges, device=pair.device)
    order = hop2.to_given(given)
    order = order[edge_group[order].argsort(stable=True)]
    path = torch.empty_like(order)
    path[order] = given
    shift = num_paths.cumsum(0) - num_paths - num_edges.cumsum(0) + num_edges
    own = (num_paths == num_edges)[edge_group]
    path = torch.where(own, path + shift[edge_group], -1)
    return first, second, group, path, edge_group
