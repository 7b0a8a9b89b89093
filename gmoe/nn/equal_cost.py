"""The size at which a mixture costs as much as one network."""

import math


def hidden_for_equal_cost(hidden_channels: int, top_k: float) -> int:
    r"""The hidden size at which :math:`k` experts cost what one expert of
    :obj:`hidden_channels` costs, :math:`D / \sqrt{k}` rounded (`GMoE
    <https://arxiv.org/abs/2304.02806>`_, section 3.2).

    Args:
        hidden_channels: The hidden size of the single-expert network.
        top_k: The number of experts selected per node; its mean over layers
            where they differ.

    Raises:
        ValueError: If an argument is below 1.
    """
    for name, value in (
        ('hidden_channels', hidden_channels),
        ('top_k', top_k),
    ):
        if value < 1:
            raise ValueError(f"'{name}' must be at least 1, got {value}")
    return max(1, round(hidden_channels / math.sqrt(top_k)))
