"""A metric that keeps values of each graph of a split, once."""

from __future__ import annotations

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor
from torchmetrics import Metric


class PerGraph(Metric):
    """Keeps two rows of values for each graph of a split.

    Graphs that several processes saw, because a distributed sampler fills up
    its last batch, count once.
    """

    full_state_update = False
    values: list[Tensor]
    targets: list[Tensor]
    graph_ids: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for state in ('values', 'targets', 'graph_ids'):
            self.add_state(state, default=[], dist_reduce_fx='cat')

    def _keep(self, value: Tensor, target: Tensor, graph_id: Tensor) -> None:
        self.values.append(value)
        self.targets.append(target)
        self.graph_ids.append(graph_id)

    def _kept(self) -> tuple[Tensor, Tensor]:
        graph_id = _cat(self.graph_ids).cpu().numpy()
        once = np.unique(graph_id, return_index=True)[1]
        return _cat(self.values).cpu()[once], _cat(self.targets).cpu()[once]


def undefined(reason: str, category: type[Warning] = UserWarning) -> Tensor:
    """NaN in place of a score, with a warning.

    Args:
        reason: Why there is no score.
        category: The kind of the warning.
    """
    rank_zero_warn(f'The score is not defined: {reason}', category=category)
    return torch.tensor(float('nan'))


def _cat(values: list[Tensor] | Tensor) -> Tensor:
    # Reduction over processes replaces a list by one tensor.
    return torch.cat(values) if isinstance(values, list) else values
