"""A small graph of links, and files of it in each layout."""

import numpy as np
import pandas as pd
import torch

from tests.datasets.nodes.small import write_gzip

NUM_NODES = 12
RING = torch.stack([torch.arange(12), (torch.arange(12) + 1) % 12])
CHORDS = torch.stack([torch.arange(12), (torch.arange(12) + 3) % 12])
#: All links once, and those of each part.
LINKS = torch.cat([RING, CHORDS], dim=1)
PARTS = {'train': LINKS[:, :18], 'valid': LINKS[:, 18:21]}
PARTS['test'] = LINKS[:, 21:]
#: Pairs that are none.
OTHERS = {
    'valid': torch.tensor([[0, 1, 2], [5, 6, 7]]),
    'test': torch.tensor([[3, 4], [8, 9]]),
}


def write_ogb(root, name='ogbl-ddi', **changes):
    """As OGB writes it; returns the folder.

    Args:
        root: The root of the data.
        name: The graph.
        **changes: Pairs in place of those of a part, or ``raw`` edges.
    """
    folder = root / 'ogb' / name.replace('-', '_')
    edges = changes.get('raw', PARTS['train'])
    write_gzip(folder / 'raw' / 'num-node-list.csv.gz', [[NUM_NODES]])
    write_gzip(folder / 'raw' / 'num-edge-list.csv.gz', [[edges.size(1)]])
    write_gzip(folder / 'raw' / 'edge.csv.gz', edges.t().numpy())
    if name == 'ogbl-ppa':
        one_hot = np.eye(58, dtype=int)[:NUM_NODES]
        write_gzip(folder / 'raw' / 'node-feat.csv.gz', one_hot)
    split = {'ogbl-ddi': 'target', 'ogbl-ppa': 'throughput'}[name]
    (folder / 'split' / split).mkdir(parents=True, exist_ok=True)
    for part, links in PARTS.items():
        value = {'edge': changes.get(part, links).t().numpy()}
        if part in OTHERS:
            value['edge_neg'] = OTHERS[part].t().numpy()
        torch.save(
            value,
            folder / 'split' / split / f'{part}.pt',
            _use_new_zipfile_serialization=part != 'train',
        )
    return folder


def make_table(others=True):
    """The links as a user's table."""
    tables = []
    for label, parts in ((1, PARTS), (0, OTHERS if others else {})):
        for part, pairs in parts.items():
            source, target = ([f'n{i:02}' for i in ids] for ids in pairs)
            ends = {'source': source, 'target': target}
            tables.append(pd.DataFrame(ends).assign(split=part, label=label))
    table = pd.concat(tables)
    return table if others else table.drop(columns='label')


def write_table(path, others=True, columns=None):
    """Writes it; returns the file."""
    table = make_table(others)
    table.to_csv(path, index=False, columns=columns)
    return path
