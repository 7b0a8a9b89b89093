"""Hides the names of random properties, as an augmentation."""

from typing import Any

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform


class MaskProperties(BaseTransform):
    r"""Hides the property of each triple of a WebNLG graph with codes, or of
    a batch of them, independently with probability :obj:`ratio`, by setting
    its code to zero. A triple's edge and its inverse are hidden together.

    Args:
        ratio (float, optional): The probability of a property to be hidden.
            (default: :obj:`0.1`)
        generator (torch.Generator, optional): The source of randomness;
            PyTorch's global one if not given. (default: :obj:`None`)

    Raises:
        ValueError: If :obj:`ratio` is out of range, or edges hold no codes
            or do not come in pairs.
        TypeError: If the input is not a graph with :obj:`edge_attr`.
    """

    def __init__(
        self, ratio: float = 0.1, generator: torch.Generator | None = None
    ) -> None:
        if not 0.0 <= ratio <= 1.0:
            raise ValueError(f"'ratio' needs to be in [0, 1] (got {ratio})")
        self.ratio = ratio
        self.generator = generator

    def forward(self, data: Any) -> Any:
        if not isinstance(data, Data) or data.get('edge_attr') is None:
            raise TypeError(
                f"'data' needs to be a PyG 'Data' with 'edge_attr' (got "
                f"'{type(data).__name__}')"
            )
        attr = data.edge_attr
        if attr.is_floating_point() or attr.size(0) % 2 or attr.size(1) != 2:
            raise ValueError(
                f"'edge_attr' needs to hold codes, each edge followed by its "
                f'inverse (got {attr.dtype} of shape {list(attr.shape)})'
            )
        noise = torch.rand(
            attr.size(0) // 2, generator=self.generator, device=attr.device
        )
        mask = (noise < self.ratio).repeat_interleave(2)
        # A shallow copy of a graph shares its features with the original.
        code = attr[:, 0].masked_fill(mask, 0)
        data.edge_attr = torch.stack([code, attr[:, 1]], dim=1)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(ratio={self.ratio})'
