"""Hides names of random entities and properties, as an augmentation."""

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from gmoe.common.arguments import check_integer, check_share


class _Mask(BaseTransform):
    def __init__(
        self, ratio: float, generator: torch.Generator | None
    ) -> None:
        check_share(ratio=ratio, inclusive=True)
        self.ratio = ratio
        self.generator = generator

    def _draw(self, rows: Tensor) -> Tensor:
        noise = torch.rand(
            rows.size(0), generator=self.generator, device=rows.device
        )
        return noise < self.ratio


class MaskEntities(_Mask):
    r"""Hides the text of each entity of a WebNLG graph, or of a batch of
    them, independently with probability :obj:`ratio`, for a model to learn
    from what is said of an entity rather than from its name. Its kind, and
    whether it is the root, are left.

    A text is hidden by setting its features, the first
    :obj:`num_text_features` of :obj:`x`, to zero, or by setting its code,
    the first of :obj:`x` if that holds integers, to zero.

    Args:
        num_text_features: How many features of a node are those of its text;
            see :attr:`~gmoe.datasets.WebNLGDataset.num_text_features`. It
            must be given unless :obj:`x` holds codes.
        ratio: The probability of an entity to be hidden.
        literals: Whether literals are hidden as entities are.
        generator: The source of randomness, on the device of the graph.
            (default: PyTorch's global one)

    Raises:
        ValueError: If :obj:`ratio` is out of range, or the features are
            not as said.
        TypeError: If the input is not a graph with :obj:`node_type`.
    """

    def __init__(
        self,
        num_text_features: int | None = None,
        ratio: float = 0.5,
        literals: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(ratio, generator)
        self.num_text_features = num_text_features
        self.literals = literals

    def forward(self, data: Any) -> Any:
        _check_has(data, 'node_type')
        x = data.x
        if data.node_type.shape != x.shape[:1]:
            raise ValueError(
                f"'node_type' must be of shape [{x.size(0)}], one for each "
                f'row of x, got {list(data.node_type.shape)}'
            )
        num_features = self.num_text_features if x.is_floating_point() else 1
        check_integer(1, x.size(1), num_text_features=num_features)
        mask = self._draw(x)
        if not self.literals:
            mask = mask & (data.node_type == 0)
        # A shallow copy of a graph shares its features with the original.
        data.x = x.clone()
        data.x[:, :num_features].masked_fill_(mask.unsqueeze(1), 0)
        return data

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(ratio={self.ratio}, '
            f'literals={self.literals})'
        )


class MaskProperties(_Mask):
    r"""Hides the property of each triple of a WebNLG graph with codes, or of
    a batch of them, independently with probability :obj:`ratio`, by setting
    its code to zero. A triple's edge and its inverse are hidden together.

    Args:
        ratio: The probability of a property to be hidden.
        generator: The source of randomness, on the device of the graph.
            (default: PyTorch's global one)

    Raises:
        ValueError: If :obj:`ratio` is out of range, or edges hold no codes
            or do not come in pairs.
        TypeError: If the input is not a graph with :obj:`edge_attr`.
    """

    def __init__(
        self, ratio: float = 0.1, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(ratio, generator)

    def forward(self, data: Any) -> Any:
        _check_has(data, 'edge_attr')
        attr = data.edge_attr
        if attr.is_floating_point() or attr.size(0) % 2 or attr.size(1) != 2:
            raise ValueError(
                "'edge_attr' must hold codes, each edge followed by its "
                f'inverse, got {attr.dtype} of shape {list(attr.shape)}'
            )
        if self.ratio > 0:
            _check_pairs(data.edge_index, attr)
        mask = self._draw(attr[::2]).repeat_interleave(2)
        # A shallow copy of a graph shares its features with the original.
        data.edge_attr = attr.clone()
        data.edge_attr[:, 0].masked_fill_(mask, 0)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(ratio={self.ratio})'


def _check_has(data: Any, key: str) -> None:
    if not isinstance(data, Data) or data.get(key) is None:
        raise TypeError(
            f"'data' must be a 'Data' of PyG with '{key}', got "
            f'{type(data).__name__!r}'
        )


def _check_pairs(edge_index: Tensor | None, attr: Tensor) -> None:
    # In other orders (as of PyG's `ToUndirected`), halves would be hidden.
    is_pair = torch.equal(attr[::2, 0], attr[1::2, 0])
    if edge_index is not None:
        back = edge_index[:, 1::2].flip(0)
        is_pair = is_pair and torch.equal(edge_index[:, ::2], back)
    if not is_pair:
        raise ValueError(
            "'edge_index' must hold each edge followed by its inverse, "
            'got edges in another order'
        )
