"""Scores of experts for nodes: the first stage of a router."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize


class LinearScore(nn.Module):
    r"""A linear score without bias, :math:`\mathbf{Q} = \mathbf{X}
    \mathbf{W}`, of the noisy top-k gate (`Shazeer et al. 2017
    <https://arxiv.org/abs/1701.06538>`_, eq. 4).

    The weight starts at zero, so that all experts begin alike (appendix A of
    the paper).

    Args:
        in_channels: Size of each node's features.
        num_experts: Number of experts.
    """

    def __init__(self, in_channels: int, num_experts: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_channels, num_experts))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Sets the weight to zero."""
        nn.init.zeros_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of shape :math:`(N, n)` for features :math:`(N, D)`."""
        return linear_scores(x, [self])


def linear_scores(x: Tensor, scores: Sequence[LinearScore]) -> Tensor:
    """The scores of several :class:`LinearScore` side by side, in one matrix
    product.

    Args:
        x: Features of shape :math:`(N, D)`.
        scores: Modules, each of :math:`n` experts.

    Returns:
        Scores of shape :math:`(N, n)` times the number of modules.
    """
    # Transposed: products with a matrix of few columns are slow on CPUs.
    if len(scores) == 1:
        weight = scores[0].weight.t().contiguous()
    else:
        weight = torch.cat([score.weight.t() for score in scores])
    return linear(x, weight.to(x.dtype))


class AttentionScore(nn.Module):
    r"""Scaled dot product of the projected input with one learned embedding
    per expert (`Vaswani et al. 2017 <https://arxiv.org/abs/1706.03762>`_,
    eq. 1, before its softmax):

    .. math::
        \mathbf{Q} = \frac{(\mathbf{X} \mathbf{W}_q) \mathbf{E}^{\top}}
        {\sqrt{d}}

    Args:
        in_channels: Size of each node's features.
        num_experts: Number of experts.
        hidden_channels: Size :math:`d` of the expert embeddings.
            (default: :obj:`in_channels`)
    """

    def __init__(
        self,
        in_channels: int,
        num_experts: int,
        hidden_channels: int | None = None,
    ) -> None:
        super().__init__()
        hidden_channels = hidden_channels or in_channels
        self.query = nn.Parameter(torch.empty(in_channels, hidden_channels))
        self.embedding = nn.Parameter(
            torch.empty(num_experts, hidden_channels)
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the projection (Glorot) and the embeddings (normal)."""
        nn.init.xavier_uniform_(self.query)
        # Zero would leave both factors of the product without gradient.
        nn.init.normal_(self.embedding, std=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of shape :math:`(N, n)` for features :math:`(N, D)`."""
        query = x @ self.query.to(x.dtype)
        score = query @ self.embedding.to(x.dtype).t()
        return score / math.sqrt(self.embedding.size(1))


class CosineScore(nn.Module):
    r"""Cosine similarity of the input with one learned vector per expert, as
    in `DynMoE <https://arxiv.org/abs/2405.14297>`_:

    .. math::
        Q_{io} = \frac{\langle \mathbf{x}_i, \mathbf{w}_o \rangle}
        {\lVert \mathbf{x}_i \rVert \lVert \mathbf{w}_o \rVert}

    Args:
        in_channels: Size of each node's features.
        num_experts: Number of experts.
    """

    def __init__(self, in_channels: int, num_experts: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_experts, in_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws orthogonal vectors, as far as there are so many."""
        nn.init.orthogonal_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of shape :math:`(N, n)` for features :math:`(N, D)`."""
        return linear(normalize(x), normalize(self.weight.to(x.dtype)))
