"""The graph convolution with edge features whose messages are linear."""

from __future__ import annotations

from torch import Tensor

from gmoe.nn.conv.neighborhood_conv import NeighborhoodConv
from gmoe.nn.conv.ogb import OGBGCNConv
from gmoe.nn.neighborhood import Neighborhood


class LinearGCNConv(OGBGCNConv):
    r"""The graph convolution of `"Strategies for Pre-training Graph Neural
    Networks" <https://arxiv.org/abs/1905.12265>`_: that of OGB's examples
    without a ReLU in its messages. See :class:`LinearGCNExperts` for the
    formula.

    Args:
        in_channels: Size of each input node's features.
        out_channels: Size of each output node's features.
        edge_dims: The numbers of categories of categorical edge features, the
            number of floating-point edge features, or :obj:`None`.
        **kwargs: Arguments of PyG's :class:`MessagePassing`.

    Shapes:
        - **input:** node features :math:`(N, D_{in})`, edge indices
          :math:`(2, E)`, edge features :math:`(E, F)`; or, in place of the
          edges and their features, a :class:`~gmoe.nn.Neighborhood`
        - **output:** node features :math:`(N, D_{out})`
    """

    def _activate(self, x: Tensor) -> Tensor:
        return x

    def _convolve_hop(self, x: Tensor, hop: Neighborhood) -> Tensor:
        # The fused op has a ReLU.
        return NeighborhoodConv._convolve_hop(self, x, hop)
