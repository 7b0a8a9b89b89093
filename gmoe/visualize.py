"""Drawings of graphs whose nodes are routed to experts."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import networkx
import numpy as np
from matplotlib import colormaps
from matplotlib.patches import Patch, Wedge
from matplotlib.transforms import Bbox
from torch_geometric.data import Data
from torch_geometric.utils import to_networkx

from gmoe.routing import Bucket, Routing

#: The widest line of a label, in characters.
LINE_WIDTH = 18
#: The radius of a node, where the whole graph is within -1 and 1.
RADIUS = 0.12
#: Where a name may stand: steps to the right and up from its node.
_SIDES = [(0, -1), (0, 1), (1, 0), (-1, 0), (1, -1), (-1, -1), (1, 1), (-1, 1)]


def draw_routing(
    data: Data,
    routing: Routing,
    axis: Any,
    num_experts_1hop: int | None = None,
) -> None:
    """Draws a graph with each node in the colours of its experts: a disc
    whose sectors are their weights.

    Labels are :obj:`data.node_text` and :obj:`data.edge_text` where the graph
    has them. An edge with a text is an arrow, unless it is the inverse of an
    earlier edge with the same text, as in
    :class:`~gmoe.datasets.WebNLGDataset`; others are lines.

    Args:
        data: The graph.
        routing: The routing of its nodes by one layer.
        axis: The axes of matplotlib to draw on.
        num_experts_1hop: The number of hop-1 experts, which come first, for
            the legend to tell. (default: not told)

    Raises:
        ValueError: If :obj:`routing` is of another number of nodes.

    Example:
        >>> figure, axis = plt.subplots()
        >>> draw_routing(data, routing, axis)
    """
    if routing.num_nodes != data.num_nodes:
        raise ValueError(
            f"'routing' must have the {data.num_nodes} nodes of 'data', got "
            f'{routing.num_nodes}'
        )
    graph = to_networkx(data, to_undirected=True, remove_self_loops=True)
    place = networkx.kamada_kawai_layout(graph)
    axis.set_aspect('equal')
    axis.set_axis_off()
    axis.set(xlim=(-1.4, 1.4), ylim=(-1.5, 1.3))
    axis.apply_aspect()  # Texts are measured below.
    taken = _draw_edges(data, graph, place, axis)
    gates = routing.gates.detach().cpu().double().numpy()
    colours = colormaps['tab10' if routing.num_experts <= 10 else 'tab20']
    for node, weights in enumerate(gates):
        taken += _draw_node(place[node], weights, colours, axis)
    for node, text in enumerate(data.get('node_text') or []):
        taken.append(_draw_name(text, place[node], taken, axis))
    axis.legend(
        handles=[
            Patch(color=colours(i), label=_name(i, num_experts_1hop))
            for i in range(routing.num_experts)
        ],
        fontsize='small',
        loc='lower left',
    )


def draw_report(rows: Sequence[Bucket], figure: Any) -> None:
    """Draws how nodes are routed, by degree and by homophily: a column for
    each, a line for each mixture.

    Args:
        rows: The rows of :func:`~gmoe.routing.routing_report`.
        figure: The figure of matplotlib to draw in.
    """
    kinds = list(dict.fromkeys(row.by for row in rows))
    names = {
        'nodes': 'nodes',
        'experts': 'experts of a node',
        'hop1': 'weight at hop 1',
        'entropy': 'entropy of weights',
    }
    axes = figure.subplots(
        len(names), len(kinds), sharex='col', sharey='row', squeeze=False
    )
    for column, by in enumerate(kinds):
        lows = sorted({row.low for row in rows if row.by == by})
        for axis, key in zip(axes[:, column], names):
            for layer in sorted({row.layer for row in rows}):
                own = [r for r in rows if (r.layer, r.by) == (layer, by)]
                places = [lows.index(row.low) for row in own]
                values = [getattr(row, key) for row in own]
                axis.plot(places, values, marker='o', label=f'mixture {layer}')
            axis.grid(alpha=0.3)
            if key != 'nodes':
                axis.set_ylim(bottom=0, top=1.05 if key == 'hop1' else None)
        axes[0, column].set_yscale('log')
        labels = [f'from {low:g}' for low in lows]
        axes[-1, column].set_xticks(range(len(lows)), labels, rotation=45)
        axes[-1, column].set_xlabel(by)
    for axis, name in zip(axes[:, 0], names.values()):
        axis.set_ylabel(name)
    axes[0, -1].legend(fontsize='small')


def _name(expert: int, num_experts_1hop: int | None) -> str:
    name = f'expert {expert}'
    if num_experts_1hop is None:
        return name
    return f'{name} (hop {1 if expert < num_experts_1hop else 2})'


def _draw_node(
    place: np.ndarray, weights: np.ndarray, colours: Any, axis: Any
) -> list[Bbox]:
    bounds = np.cumsum([0.0, *weights / max(weights.sum(), 1e-12)]) * 360 + 90
    for expert in weights.nonzero()[0]:
        sector = Wedge(
            tuple(place),
            RADIUS,
            bounds[expert],
            bounds[expert + 1],
            facecolor=colours(int(expert)),
            edgecolor='white',
            zorder=3,
        )
        axis.add_patch(sector)
    corners = place + RADIUS * np.array([[-1, -1], [1, 1]])
    return [Bbox(axis.transData.transform(corners))]


def _draw_name(
    text: str, place: np.ndarray, taken: Sequence[Bbox], axis: Any
) -> Bbox:
    """Writes the name of a node beside it, where it covers least of what is
    taken, below the node if that is free."""
    label = axis.text(
        *place,
        textwrap.fill(text, LINE_WIDTH),
        fontsize=9,
        bbox={'color': 'white', 'alpha': 0.7, 'pad': 0.5},
        zorder=4,
    )

    def put(side: tuple[int, int]) -> Bbox:
        label.set_position(place + 1.2 * RADIUS * np.array(side))
        label.set_horizontalalignment(('center', 'left', 'right')[side[0]])
        label.set_verticalalignment(('center', 'bottom', 'top')[side[1]])
        return label.get_window_extent()

    def covered(side: tuple[int, int]) -> float:
        box = put(side)
        shared = [Bbox.intersection(box, other) for other in taken]
        return sum(part.width * part.height for part in shared if part)

    return put(min(_SIDES, key=covered))


def _draw_edges(
    data: Data, graph: networkx.Graph, place: dict[int, Any], axis: Any
) -> list[Bbox]:
    texts = data.get('edge_text')
    if texts is None:
        networkx.draw_networkx_edges(graph, place, ax=axis)
        return []
    labels: dict[tuple[int, int], list[str]] = {}
    for (source, target), text in zip(data.edge_index.t().tolist(), texts):
        if text not in labels.get((target, source), []):
            labels.setdefault((source, target), []).append(text)
    shown = networkx.DiGraph(list(labels))
    # The size of a node is in square points there; the axes are 2.8 wide.
    width = axis.get_window_extent().width * 72 / axis.figure.dpi
    networkx.draw_networkx_edges(
        shown,
        place,
        ax=axis,
        node_size=(2.5 * RADIUS * width / 2.8) ** 2,
        edge_color='gray',
        arrowsize=12,
    )
    drawn = networkx.draw_networkx_edge_labels(
        shown,
        place,
        {edge: '\n'.join(texts) for edge, texts in labels.items()},
        ax=axis,
        font_size=8,
        font_color='dimgray',
        rotate=False,
    )
    lines = [np.linspace(place[a], place[b], 12) for a, b in labels]
    points = axis.transData.transform(
        np.concatenate([np.zeros((0, 2)), *lines])
    )
    return [
        *(label.get_window_extent() for label in drawn.values()),
        *(Bbox.from_extents(x - 3, y - 3, x + 3, y + 3) for x, y in points),
    ]
