"""Counts the operations of a network."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode
from torch_geometric.data import Batch, Data

from gmoe import ops
from gmoe.training import GraphModule, GraphPredictor


def flops_per_graph(model: GraphPredictor, batch: Batch) -> int:
    """The floating-point operations of a prediction for one graph.

    Args:
        model: The network.
        batch: Several graphs.
    """
    return round(flops_of(model, batch) / batch.num_graphs)


def flops_of(model: GraphModule, batch: Data) -> int:
    """The floating-point operations of the matrix products of a prediction,
    as PyTorch counts them: those of dense matrices. It looks into no fused op,
    so it counts the eager ones, which multiply the same matrices.

    Args:
        model: The network.
        batch: What it predicts for.
    """
    model.eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), ops.eager_ops(), counter:
        model(batch)
    return counter.get_total_flops()
