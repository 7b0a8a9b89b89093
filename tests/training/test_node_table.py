"""Predictions for nodes as a table."""

import pytest
import torch

from gmoe.training import NodeDataModule
from tests.datasets.nodes import small


def test_table_of_predictions(tmp_path):
    data = NodeDataModule(str(small.write_tables(tmp_path / 'own')))
    data.setup()
    joined = {
        'graph_id': torch.tensor([2, 0, 2]),
        'target': torch.tensor([[-1], [2], [-1]]),
        'prediction': torch.tensor(
            [[0.0, 0.25, 0.75], [0.7, 0.1, 0.2], [0.0, 0.25, 0.75]]
        ),
    }
    table = data.prediction_table(joined)
    assert table.columns.tolist() == [
        *('node', 'split', 'class', 'predicted'),
        *('p_blue', 'p_green', 'p_red'),
    ]
    assert table.iloc[:, :5].values.tolist() == [
        ['n00', 'train', 'red', 'blue', pytest.approx(0.7)],
        ['n02', 'test', '', 'red', 0],
    ]


@pytest.mark.parametrize('num_labels', [1, 2])
def test_table_of_labels(num_labels, tmp_path):
    graph = small.make_graph()
    graph.y = (graph.y.view(-1, 1) == torch.arange(num_labels)).float()
    torch.save(graph, tmp_path / 'mine.pt')
    data = NodeDataModule(str(tmp_path / 'mine.pt'))
    data.setup()
    prediction = torch.tensor([[0.75, 0.1]])[:, :num_labels]
    joined = {
        'graph_id': torch.tensor([4]),
        'target': torch.tensor([[1.0, 0.0]])[:, :num_labels],
        'prediction': prediction,
    }
    (row,) = data.prediction_table(joined).to_dict('records')
    split = row.pop('split')
    assert split in ('train', 'valid', 'test')
    if num_labels == 1:
        expected = {'class': '1', 'predicted': '1', 'p_0': 0.25, 'p_1': 0.75}
    else:
        expected = {'label_0': 1, 'p_0': 0.75, 'label_1': 0, 'p_1': 0.1}
    assert row == pytest.approx({'node': 4, **expected})
