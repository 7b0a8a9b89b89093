"""OGB's layout, on small files of it."""

import pytest
import torch

from gmoe.datasets import CorruptDatasetError, load_nodes
from gmoe.datasets.nodes.ogb import read_ogb_nodes
from tests.datasets.nodes import small


def test_arxiv(tmp_path):
    _, tables = small.write_ogb(tmp_path, 'ogbn-arxiv')
    graph = load_nodes('ogbn-arxiv', tmp_path)
    expected = small.make_graph()
    assert torch.equal(graph.data.x, torch.tensor(tables['node-feat']).float())
    assert torch.equal(graph.data.y, expected.y)
    assert graph.info.eval_metric == 'accuracy'
    for key in ('train_mask', 'val_mask', 'test_mask'):
        assert torch.equal(graph.data[key], expected[key])
    one_way = load_nodes('ogbn-arxiv', tmp_path, undirected=False)
    assert one_way.data.num_edges == expected.num_edges
    assert graph.data.num_edges == 2 * expected.num_edges
    assert any('both ways' in note for note in graph.notes)


def test_features_of_proteins_are_means_over_edges(tmp_path):
    _, tables = small.write_ogb(tmp_path, 'ogbn-proteins')
    graph = load_nodes('ogbn-proteins', tmp_path)
    for node in range(small.NUM_NODES):
        at = (tables['edge'] == node).any(axis=1)
        mean = torch.tensor(tables['edge-feat'][at].mean(axis=0)).float()
        torch.testing.assert_close(graph.data.x[node], mean)
    assert graph.data.y.shape == (small.NUM_NODES, 112)
    assert torch.equal(
        graph.data.y, torch.tensor(tables['node-label']).float()
    )
    assert len(graph.classes) == 112


@pytest.mark.parametrize(
    ('file', 'table', 'message'),
    [
        ('raw/edge', [[0, 30]] * 33, 'from 0 to 29'),
        ('raw/edge', [[0, -1]] * 33, 'from 0 to 29'),
        ('raw/edge', [[0, 1]], '33 rows'),
        ('raw/node-label', [[0.5]] * 30, 'classes must be integers'),
        ('raw/num-node-list', [[-3]], 'a number from 0'),
        ('split/time/train', [[0], [0]], 'ids must be'),
    ],
)
def test_other_files_are_refused(file, table, message, tmp_path):
    folder, _ = small.write_ogb(tmp_path, 'ogbn-arxiv')
    small.write_gzip(folder / f'{file}.csv.gz', table)
    with pytest.raises(CorruptDatasetError, match=message):
        read_ogb_nodes(folder, 'ogbn-arxiv')
    (folder / f'{file}.csv.gz').unlink()
    with pytest.raises(FileNotFoundError, match='must'):
        read_ogb_nodes(folder, 'ogbn-arxiv')
