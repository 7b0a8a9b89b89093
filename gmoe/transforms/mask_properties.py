"""Hides the names of random properties, as an augmentation."""

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from gmoe.transforms.checks import check_ratio


class MaskProperties(BaseTransform):
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
        check_ratio(ratio)
        self.ratio = ratio
        self.generator = generator

    def forward(self, data: Any) -> Any:
        if not isinstance(data, Data) or data.get('edge_attr') is None:
            raise TypeError(
                "'data' must be a 'Data' of PyG with 'edge_attr', got "
                f'{type(data).__name__!r}'
            )
        attr = data.edge_attr
        if attr.is_floating_point() or attr.size(0) % 2 or attr.size(1) != 2:
            raise ValueError(
                "'edge_attr' must hold codes, each edge followed by its "
                f'inverse, got {attr.dtype} of shape {list(attr.shape)}'
            )
        if self.ratio > 0:
            self._check_pairs(data.edge_index, attr)
        noise = torch.rand(
            attr.size(0) // 2, generator=self.generator, device=attr.device
        )
        mask = (noise < self.ratio).repeat_interleave(2)
        # A shallow copy of a graph shares its features with the original.
        code = attr[:, 0].masked_fill(mask, 0)
        data.edge_attr = torch.stack([code, attr[:, 1]], dim=1)
        return data

    def _check_pairs(self, edge_index: Tensor | None, attr: Tensor) -> None:
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

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(ratio={self.ratio})'
