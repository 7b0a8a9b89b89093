"""How the nodes of a graph are routed, as a table and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor

from gmoe.common.files import replace_text
from gmoe.routing import Routing, routing_report


class RoutingWriter(BasePredictionWriter):
    """Writes ``routing.csv`` and ``routing.png`` beside the predictions for
    the nodes of a graph, where there are mixtures: how they are routed by
    degree and by homophily (see :func:`~gmoe.routing.routing_report`). All
    nodes count, whichever are predicted; nothing is written where they are
    predicted a part of the graph at a time.
    """

    def __init__(self) -> None:
        super().__init__(write_interval='epoch')

    def write_on_epoch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        predictions: Sequence[Any],
        batch_indices: Sequence[Any],
    ) -> None:
        folder = Path(trainer.log_dir or trainer.default_root_dir)
        gates = predictions[0].get('gates') if predictions else None
        if not gates or not trainer.is_global_zero:
            return
        graph = trainer.datamodule.graph.data  # type: ignore[attr-defined]
        if len(gates[0]) != graph.num_nodes:
            return  # A part of the graph at a time.
        gnn: Any = pl_module.gnn
        rows = routing_report(
            [Routing.dense(weights) for weights in gates],
            graph.edge_index,
            _classes(graph.y),
            gnn.num_experts_1hop,
        )
        numbers = [gnn.moe_layers[row.layer] for row in rows]
        rows = [row._replace(layer=n) for row, n in zip(rows, numbers)]
        table = pd.DataFrame(rows)
        path = folder / 'routing.csv'
        replace_text(path, table.to_csv(index=False, float_format='%.4f'))
        # Not above: it takes half a second, and only predictions draw.
        from matplotlib.figure import Figure

        from gmoe.visualize import draw_report

        figure = Figure(figsize=(8, 9), layout='constrained')
        draw_report(rows, figure)
        figure.savefig(path.with_suffix('.png'), dpi=120)
        print(f'Wrote how nodes are routed to {path} and routing.png')


def _classes(y: Tensor) -> Tensor | None:
    # Of a single label, these are 0 and 1; of several, there are none.
    if y.dim() == 2:
        return y[:, 0].nan_to_num(-1).long() if y.size(1) == 1 else None
    return y
