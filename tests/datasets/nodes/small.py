"""A small graph, and files of it in each layout."""

import gzip
import io
import pickle

import numpy as np
import pandas as pd
import torch
from torch_geometric.data import Data

NUM_NODES, NUM_CLASSES = 30, 3


def make_graph(num_splits=None) -> Data:
    """A ring with some chords, each edge once, with masks."""
    generator = torch.Generator().manual_seed(0)
    ring = torch.arange(NUM_NODES)
    ends = torch.stack([ring, (ring + 1) % NUM_NODES])
    chords = torch.tensor([[0, 4, 9], [7, 20, 25]])
    count = num_splits or 1
    part = torch.randint(3, (NUM_NODES, count), generator=generator)
    part[:3] = torch.arange(3).view(3, 1)
    shape = (NUM_NODES,) if num_splits is None else (NUM_NODES, count)
    return Data(
        x=torch.randint(2, (NUM_NODES, 5), generator=generator).float(),
        edge_index=torch.cat([ends, chords], dim=1),
        y=torch.arange(NUM_NODES) % NUM_CLASSES,
        train_mask=(part == 0).view(shape),
        val_mask=(part == 1).view(shape),
        test_mask=(part == 2).view(shape),
    )


def write_heterophilous(root, name='actor', **changes):
    """As the authors of these graphs write them; returns the file."""
    data = make_graph(num_splits=4)
    path = root / 'heterophilous' / name / 'raw' / f'{name}.npz'
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        'node_features': data.x.numpy(),
        'node_labels': data.y.numpy(),
        'edges': data.edge_index.t().numpy(),
        'train_masks': data.train_mask.t().numpy(),
        'val_masks': data.val_mask.t().numpy(),
        'test_masks': data.test_mask.t().numpy(),
        **changes,
    }
    np.savez_compressed(
        path, **{k: v for k, v in arrays.items() if v is not None}
    )
    return path


def write_tables(folder, data=None):
    """As the two tables of a user; returns the folder."""
    data = make_graph() if data is None else data
    folder.mkdir(parents=True, exist_ok=True)
    split = np.full(NUM_NODES, '', dtype=object)
    for name in ('train', 'val', 'test'):
        split[data[f'{name}_mask'].numpy()] = name
    nodes = pd.DataFrame(
        {
            'id': [f'n{i:02}' for i in range(NUM_NODES)],
            **{f'f{i}': data.x[:, i].numpy() for i in range(data.x.size(1))},
            'label': [('red', 'green', 'blue')[c] for c in data.y.tolist()],
            'split': split,
        }
    )
    nodes.to_csv(folder / 'nodes.csv', index=False)
    source, target = ([f'n{i:02}' for i in row] for row in data.edge_index)
    edges = pd.DataFrame({'source': source, 'target': target})
    edges.to_csv(folder / 'edges.csv', index=False)
    return folder


def write_ogb(root, name):
    """As OGB writes it; returns the folder and the tables."""
    data = make_graph()
    folder = root / 'ogb' / name.replace('-', '_')
    generator = np.random.default_rng(0)
    num_edges = data.edge_index.size(1)
    tables = {
        'num-node-list': [[NUM_NODES]],
        'num-edge-list': [[num_edges]],
        'edge': data.edge_index.t().numpy(),
        'node-label': data.y.view(-1, 1).numpy(),
        'node-feat': generator.random((NUM_NODES, 128)).round(4),
    }
    if name == 'ogbn-proteins':
        del tables['node-feat']
        tables['edge-feat'] = generator.random((num_edges, 8)).round(4)
        tables['node-label'] = generator.integers(2, size=(NUM_NODES, 112))
    for file, table in tables.items():
        write_gzip(folder / 'raw' / f'{file}.csv.gz', table)
    split = 'species' if name == 'ogbn-proteins' else 'time'
    for part, key in (('train', 'train'), ('valid', 'val'), ('test', 'test')):
        index = data[f'{key}_mask'].nonzero().numpy()
        write_gzip(folder / 'split' / split / f'{part}.csv.gz', index)
    return folder, tables


def write_gzip(path, table):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    pd.DataFrame(table).to_csv(text, header=False, index=False)
    path.write_bytes(gzip.compress(text.getvalue().encode()))


def pickled(value) -> bytes:
    """A pickle of Python 3, as one may be slipped in."""
    return pickle.dumps(value, protocol=2)
