"""Hides the names of random entities, as an augmentation."""

from typing import Any

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from gmoe.transforms.checks import check_ratio


class MaskEntities(BaseTransform):
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
        check_ratio(ratio)
        self.num_text_features = num_text_features
        self.ratio = ratio
        self.literals = literals
        self.generator = generator

    def forward(self, data: Any) -> Any:
        if not isinstance(data, Data) or data.get('node_type') is None:
            raise TypeError(
                "'data' must be a 'Data' of PyG with 'node_type', got "
                f'{type(data).__name__!r}'
            )
        x = data.x
        if data.node_type.shape != x.shape[:1]:
            raise ValueError(
                f"'node_type' must be of shape [{x.size(0)}], one for each "
                f'row of x, got {list(data.node_type.shape)}'
            )
        num_features = self.num_text_features
        if not x.is_floating_point():
            num_features = 1
        if num_features is None or not 1 <= num_features <= x.size(1):
            raise ValueError(
                f"'num_text_features' must be from 1 to {x.size(1)}, got "
                f'{num_features}'
            )
        noise = torch.rand(
            x.size(0), generator=self.generator, device=x.device
        )
        mask = noise < self.ratio
        if not self.literals:
            mask = mask & (data.node_type == 0)
        # A shallow copy of a graph shares its features with the original.
        x = x.clone()
        x[:, :num_features] = x[:, :num_features].masked_fill(
            mask.unsqueeze(1), 0
        )
        data.x = x
        return data

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(ratio={self.ratio}, '
            f'literals={self.literals})'
        )
