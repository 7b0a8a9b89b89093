"""Pictures can be read: ticks apart, the legend beside the data."""

import itertools

import pytest
from matplotlib import pyplot as plt

from benchmarks.common.picture import legend_below, log_ticks, panels, save


@pytest.mark.parametrize(
    ('low', 'high'), [(61.0, 169.0), (156.0, 7022.0), (2.0, 427.0), (5, 5)]
)
def test_log_ticks_are_apart_and_around_the_data(low, high):
    figure, axes = panels(4)
    axis = axes[0, 1]
    log_ticks(axis, low, high)
    figure.draw_without_rendering()
    first, last = axis.get_xlim()
    assert first < low <= high < last
    boxes = [label.get_window_extent() for label in axis.get_xticklabels()]
    assert len(boxes) >= 2
    for left, right in itertools.pairwise(boxes):
        assert left.x1 < right.x0
    plt.close(figure)


@pytest.mark.parametrize('count', [2, 7])
def test_legend_covers_no_data(count):
    figure, axes = panels(1, 2)
    name = 'a model with quite a long name'
    lines = {f'{name} {i}': axes[0, 0].plot([i, 1])[0] for i in range(count)}
    legend_below(figure, lines)
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert not any(
        box.overlaps(axis.get_window_extent()) for axis in axes.flat
    )
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert len(figure.legends[0].get_texts()) == count
    plt.close(figure)


def test_save(tmp_path):
    paths = []
    for name in ('a', 'b'):
        figure, axes = panels(1)
        axes[0, 0].plot([1, 2])
        paths.append(save(figure, tmp_path / 'folder' / f'{name}.png'))
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert not plt.get_fignums()
