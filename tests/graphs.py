"""Random graphs for tests."""

import torch
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Data

EDGE_DIMS = (5, 6, 2)


def random_graph(
    num_nodes: int = 9,
    num_edges: int = 14,
    channels: int = 4,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> Data:
    """A directed graph with float node features and three bond features;
    self-loops, multi-edges and isolated nodes occur."""
    generator = torch.Generator().manual_seed(seed)
    return Data(
        x=torch.randn(num_nodes, channels, generator=generator, dtype=dtype),
        edge_index=torch.randint(
            max(num_nodes, 1), (2, num_edges), generator=generator
        ),
        edge_attr=random_attr(num_edges, generator),
    )


def random_attr(num_edges: int, generator: torch.Generator) -> Tensor:
    return torch.stack(
        [
            torch.randint(d, (num_edges,), generator=generator)
            for d in EDGE_DIMS
        ],
        dim=1,
    )


@st.composite
def graphs(draw: st.DrawFn, max_nodes: int = 8, max_edges: int = 16) -> Data:
    """Hypothesis strategy: one node, no edges, self-loops, multi-edges and
    isolated nodes all occur."""
    num_nodes = draw(st.integers(1, max_nodes))
    num_edges = draw(st.integers(0, max_edges))
    return random_graph(
        num_nodes, num_edges, seed=draw(st.integers(0, 2**31 - 1))
    )
