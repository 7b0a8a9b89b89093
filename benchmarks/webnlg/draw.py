"""Draws development graphs with their nodes in the colours of their experts.

    python -m benchmarks.webnlg.draw --root $GMOE_DATA_ROOT/webnlg

The model is trained first where no run of it is found.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from benchmarks.common.options import run
from benchmarks.common.picture import panels, save
from benchmarks.common.place import is_default
from benchmarks.common.record import ROOT
from gmoe import cli
from gmoe.datasets import WebNLGDataset
from gmoe.visualize import draw_routing


def main(
    root: str = 'data/webnlg',
    model: str = 'gmoe-gin',
    graphs: tuple[int, ...] = (1400, 1500, 1600),
    layer: int = -1,
    path: Path | None = None,
    run_dir: Path = ROOT / 'runs' / 'webnlg' / 'draw',
) -> None:
    """Draws graphs.

    Args:
        root: The folder that holds WebNLG.
        model: The name of a file of ``configs/webnlg``.
        graphs: The positions of the graphs among the development graphs,
            which are sorted by size.
        layer: The layer whose routing is drawn.
        path: The picture. (default: that of the documentation for the default
            model, graphs and layer, one in ``run_dir`` for others)
        run_dir: Where the trained model is.
    """
    if path is None:
        images = ROOT / 'docs' / 'images'
        folder = images if is_default(main, locals()) else run_dir
        path = folder / 'webnlg_graphs.png'
    arguments = [
        f'--config={ROOT / "configs" / "webnlg" / model}.yaml',
        f'--run_dir={run_dir / model}',
        f'--data.root={root}',
        '--trainer.enable_progress_bar=false',
    ]
    sys.argv = sys.argv[:1]  # Lightning warns of arguments in two places.
    if not list((run_dir / model).glob('version_*/checkpoints/last.ckpt')):
        cli.run(['fit', *arguments])
    done = cli.run(['validate', *arguments, '--ckpt_path=last'])
    assert done is not None
    network, data = done.model.eval(), done.datamodule
    texts = WebNLGDataset(root, download=False, log=False)
    dev = texts.get_idx_split('clean')['valid']
    figure, axes = panels(len(graphs), width=6.5, height=6.5)
    for axis, position in zip(axes[0], graphs):
        index = int(dev[position])
        batch = data.on_after_batch_transfer(data.dataset.take([index]), 0)
        with torch.no_grad():
            out, routings = network(batch)
        draw_routing(
            texts[index], routings[layer], axis, network.gnn.num_experts_1hop
        )
        best = int(out.argmax())
        axis.set_title(
            f'{texts.categories[best]} ({float(out.softmax(1).max()):.2f}), '
            f'really {texts.entries[index].category}'
        )
    print(f'Wrote {save(figure, path, 80)}')


if __name__ == '__main__':
    run(main)
