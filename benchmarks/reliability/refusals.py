"""Counts how often data that is stale, or has other codes, is refused.

    python -m benchmarks.reliability.refusals --graphs 2000 --root data/ogb

Random graphs get hop-2 edges and then lose nodes, by removal of isolated nodes
or by a sample of nodes as a loader takes it. Counted are the graphs whose
hop-2 edges are not right any more, and those of them that are refused: by the
fingerprint, by a layer that is called with tensors, each alone and as one of
three graphs of a batch. With a root, molecules of OGB are made from their
SMILES strings once more, with OGB's codes and with PyG's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from torch_geometric.data import Batch, Data
from torch_geometric.loader.utils import filter_data
from torch_geometric.transforms import RemoveIsolatedNodes
from torch_geometric.utils import from_smiles as pyg_from_smiles

from benchmarks.common.options import run
from gmoe.datasets import OGBMolDataset, from_smiles
from gmoe.nn import GNN, GCNExperts, GMoEConv
from gmoe.transforms import TwoHop, check_two_hop

NAMES = ('ogbg-molesol', 'ogbg-molfreesolv', 'ogbg-molbbbp')


def stale(num_graphs: int, seed: int = 0) -> Counter[str]:
    """Counts graphs with hop-2 edges of others, and how many are refused.

    Args:
        num_graphs: How many graphs are made.
        seed: The seed of the graphs.
    """
    generator = torch.Generator().manual_seed(seed)
    conv = GMoEConv(GCNExperts(4, 4, 4, 2), top_k=2).eval()
    counts: Counter[str] = Counter()
    for number in range(num_graphs):
        before = _graph(generator)
        change = (RemoveIsolatedNodes(), _sample)[number % 2]
        right = change(before.clone())
        try:
            now = change(TwoHop()(before.clone()))
        except IndexError:
            # PyG takes hop-2 edges for features if there is one per node.
            counts['not changed by PyG'] += 1
            continue
        expected = TwoHop()(right).edge_index_2hop
        if torch.equal(now.edge_index_2hop, expected):
            counts['right'] += 1
            continue
        counts['stale'] += 1
        batch = Batch.from_data_list([now, now, now])
        for name, data in (('alone', now), ('in a batch', batch)):
            edges = data.x, data.edge_index, None, data.edge_index_2hop
            counts[f'by the fingerprint, {name}'] += _refuses(
                check_two_hop, data
            )
            counts[f'by a layer, {name}'] += _refuses(conv, *edges)
    return counts


def codes(dataset: OGBMolDataset, every: int = 1) -> Counter[str]:
    """Counts molecules that are made again as they are, and those with PyG's
    codes that a network refuses.

    Args:
        dataset: The molecules.
        every: Which of them, such as each tenth.
    """
    net = GNN(hidden_channels=4, num_layers=1).eval()
    counts: Counter[str] = Counter()
    for i in range(0, len(dataset), every):
        smiles, data = dataset.smiles(i), dataset[i]
        again, other = from_smiles(smiles), pyg_from_smiles(smiles)
        counts['molecules'] += 1
        counts['same'] += all(
            torch.equal(again[key], data[key])
            for key in ('x', 'edge_index', 'edge_attr')
        )
        for name, given in (("OGB's", data), ("PyG's", other)):
            edges = given.x, given.edge_index, given.edge_attr
            counts[f'{name} refused'] += _refuses(net, *edges)
    return counts


def _graph(generator: torch.Generator) -> Data:
    num_nodes = int(torch.randint(5, 60, (), generator=generator))
    size = (2, int(torch.randint(3, 2 * num_nodes, (), generator=generator)))
    edges = torch.randint(num_nodes, size, generator=generator)
    return Data(
        x=torch.randn(num_nodes, 4, generator=generator),
        edge_index=torch.cat([edges, edges.flip(0)], dim=1),
    )


def _sample(data: Data) -> Data:
    # As a NeighborLoader: every second node, from the last one on.
    node = torch.arange(data.num_nodes).flip(0)[::2]
    position = torch.full((data.num_nodes,), -1)
    position[node] = torch.arange(node.numel())
    row, col = position[data.edge_index]
    edge = ((row >= 0) & (col >= 0)).nonzero().view(-1)
    return filter_data(data, node, row[edge], col[edge], edge, None)


def _refuses(call: Callable[..., object], *args: object) -> bool:
    try:
        with torch.no_grad():
            call(*args)
    except ValueError:
        return True
    return False


def main(graphs: int = 2000, root: Path | None = None, every: int = 1) -> None:
    """Prints the counts.

    Args:
        graphs: How many random graphs.
        root: The folder of OGB's datasets; no molecules if not given.
        every: Which molecules, such as each tenth.
    """
    print('hop-2 edges:', dict(stale(graphs)))
    for name in NAMES if root is not None else ():
        dataset = OGBMolDataset(name, root, download=False)
        print(f'{name}:', dict(codes(dataset, every)))


if __name__ == '__main__':
    run(main)
