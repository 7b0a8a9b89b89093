"""The predictions for the nodes of one graph as a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gmoe.datasets import NodeGraph
from gmoe.training.task import MULTICLASS


def prediction_table(
    graph: NodeGraph, splits: dict[str, Tensor], joined: dict[str, Tensor]
) -> pd.DataFrame:
    """Predictions as a table: the id of each node, its split, class and
    predicted class, and the probability of each class; of several labels,
    each label and its probability.

    Args:
        graph: The graph.
        splits: The nodes of each split.
        joined: The numbers of the nodes, ``graph_id``; their ``target`` and
            ``prediction``, as the module has them.
    """
    # In order, once: several processes may have seen the same ones.
    node, first = np.unique(joined['graph_id'].numpy(), return_index=True)
    joined = {key: value[first] for key, value in joined.items()}
    ids = np.arange(graph.data.num_nodes)
    ids = ids if graph.ids is None else np.array(graph.ids, dtype=object)
    split = np.full(len(ids), '', dtype=object)
    for name, index in splits.items():
        split[index.numpy()] = name
    columns: dict[str, Any] = {'node': ids[node], 'split': split[node]}
    probability = joined['prediction'].float()
    target = joined['target']
    if probability.size(1) > 1 and graph.info.task_type != MULTICLASS:
        for i, name in enumerate(graph.classes):
            columns[f'label_{name}'] = target[:, i].numpy()
            columns[f'p_{name}'] = probability[:, i].numpy()
        return pd.DataFrame(columns)
    if probability.size(1) == 1:
        probability = torch.cat([1 - probability, probability], dim=1)
    names = np.array([*graph.classes, ''], dtype=object)
    known = target.view(-1).nan_to_num(-1).long().numpy()
    columns['class'] = names[known]
    columns['predicted'] = names[probability.argmax(dim=1).numpy()]
    for i, name in enumerate(graph.classes):
        columns[f'p_{name}'] = probability[:, i].numpy()
    return pd.DataFrame(columns)
