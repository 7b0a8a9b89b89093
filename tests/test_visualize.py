"""Drawings of routed graphs."""

import matplotlib
import pytest
import torch
from matplotlib.patches import Wedge
from torch_geometric.data import Data

matplotlib.use('Agg')

from matplotlib import pyplot as plt

from gmoe.routing import Bucket, Router
from gmoe.visualize import draw_report, draw_routing


@pytest.fixture
def axis():
    figure, axis = plt.subplots()
    yield axis
    plt.close(figure)


def make(texts=True):
    edges = torch.tensor([[0, 1, 0, 2], [1, 0, 2, 0]])
    data = Data(x=torch.randn(3, 4), edge_index=edges)
    if texts:
        data.node_text = ['Alan Bean', 'Apollo 12', 'a name of many words']
        data.edge_text = ['mission', 'mission', 'title', 'title']
    return data


def test_sectors_are_weights(axis):
    data = make()
    router = Router(4, 3, 2)
    routing = router(data.x)
    draw_routing(data, routing, axis, num_experts_1hop=2)
    sectors = [p for p in axis.patches if isinstance(p, Wedge)]
    assert len(sectors) == int((routing.gates > 0).sum()) == 6
    share = torch.tensor([(p.theta2 - p.theta1) / 360 for p in sectors])
    weights = routing.gates[routing.gates > 0]
    torch.testing.assert_close(share, weights, check_dtype=False)
    texts = {text.get_text() for text in axis.texts}
    # Each triple once, not its inverse.
    assert texts == {
        'Alan Bean', 'Apollo 12', 'a name of many\nwords', 'mission', 'title'
    }  # fmt: skip
    legend = [text.get_text() for text in axis.get_legend().get_texts()]
    names = ['expert 0 (hop 1)', 'expert 1 (hop 1)', 'expert 2 (hop 2)']
    assert legend == names


def test_names_leave_edges_free(axis):
    axis.figure.set_size_inches(6.5, 6.5)
    ends = torch.tensor([[0, 1, 2, 3, 3, 5], [1, 2, 3, 4, 5, 6]])
    data = Data(x=torch.randn(7, 4), edge_index=ends)
    data.edge_text = ['a property of it'] * 6
    data.node_text = [f'a long name with number {i}' for i in range(7)]
    draw_routing(data, Router(4, 2, 1)(data.x), axis)
    boxes = [
        (text.get_text(), text.get_window_extent()) for text in axis.texts
    ]
    for i, (name, box) in enumerate(boxes):
        for other, beside in boxes[i + 1 :]:
            assert not box.overlaps(beside), (name, other)


def test_without_texts(axis):
    data = make(texts=False)
    draw_routing(data, Router(4, 12, 2)(data.x), axis)
    assert not axis.texts


def test_single_node_without_edges(axis):
    data = Data(x=torch.randn(1, 4), edge_index=torch.empty(2, 0).long())
    draw_routing(data, Router(4, 2, 1)(data.x), axis)


def test_other_graph(axis):
    data = make()
    with pytest.raises(ValueError, match='the 3 nodes of .data., got 2'):
        draw_routing(data, Router(4, 3, 2)(data.x[:2]), axis)


def test_report():
    kinds = {'degree': (0, 1, 3), 'homophily': (0.0, 0.8)}
    rows = [
        Bucket(layer, by, low, low + 1, 10 + layer, 2.0, 0.25, 0.5)
        for layer in (0, 2)
        for by, lows in kinds.items()
        for low in lows
    ]
    figure = plt.figure()
    draw_report(rows, figure)
    axes = figure.get_axes()
    assert len(axes) == 8
    assert [len(axis.lines) for axis in axes] == [2] * 8
    assert axes[0].lines[1].get_ydata().tolist() == [12] * 3
    assert axes[6].get_xlabel() == 'degree'
    labels = [label.get_text() for label in axes[7].get_xticklabels()]
    assert labels == ['from 0', 'from 0.8']
    plt.close(figure)
