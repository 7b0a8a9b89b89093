"""Graphs by their names and paths."""

import pytest
import torch

from gmoe.datasets import load_nodes
from tests.datasets.nodes import small


def test_saved_graph(tmp_path):
    path = tmp_path / 'mine.pt'
    torch.save(small.make_graph(num_splits=4), path)
    graph = load_nodes(path, split=1)
    expected = small.make_graph(num_splits=4)
    assert graph.info.name == 'mine'
    assert graph.classes == ('0', '1', '2')
    assert torch.equal(graph.data.val_mask, expected.val_mask[:, 1])
    assert 'The split is number 1 of 4' in graph.notes
    assert 'seed 5' in load_nodes(path, split='random', seed=5).notes[-1]


@pytest.mark.parametrize(
    ('make', 'kind', 'shape'),
    [
        (lambda y: y.int().view(-1, 1), 'multiclass', [30]),
        (lambda y: (y > 0).float().view(-1, 1), 'binary', [30, 1]),
        (
            lambda y: (y.view(-1, 1) > torch.arange(2)).float(),
            'binary',
            [30, 2],
        ),
    ],
)
def test_forms_of_classes(make, kind, shape, tmp_path):
    data = small.make_graph()
    data.y = make(data.y)
    torch.save(data, tmp_path / 'mine.pt')
    graph = load_nodes(tmp_path / 'mine.pt')
    assert graph.info.task_type == f'{kind} classification'
    assert list(graph.data.y.shape) == shape
    assert len(graph.classes) == (3 if kind == 'multiclass' else 2)


def test_no_such_graph(tmp_path):
    with pytest.raises(ValueError, match="'name' must be one of .*'cora'"):
        load_nodes('cora', tmp_path)
    with pytest.raises(
        FileNotFoundError, match="folder with 'planetoid/Cora'"
    ):
        load_nodes('Cora', tmp_path)
    with pytest.raises(FileNotFoundError, match='one of one|path of one'):
        load_nodes(tmp_path / 'none.pt')


def test_public_split_is_that_of_planetoid(tmp_path):
    small.write_heterophilous(tmp_path)
    with pytest.raises(ValueError, match="'split' must be a number, or"):
        load_nodes('actor', tmp_path, split='public')
    assert load_nodes('actor', tmp_path, split=3).info.name == 'actor'
