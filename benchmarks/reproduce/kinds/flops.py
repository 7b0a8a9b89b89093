"""Counts the operations of a network."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode
from torch_geometric.data import Batch

from gmoe import ops
from gmoe.training import GraphPredictor


def flops_per_graph(model: GraphPredictor, batch: Batch) -> int:
    """The floating-point operations of the matrix products of a prediction,
    as PyTorch counts them. It looks into no fused op, so it counts the eager
    ones, which multiply the same matrices.
    """
    model.eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), ops.eager_ops(), counter:
        model(batch)
    return round(counter.get_total_flops() / batch.num_graphs)
