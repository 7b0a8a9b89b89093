"""Networks of nodes, trained."""

import numpy as np
import pytest
import torch
from torch.nn import functional
from torchmetrics.functional.classification import multiclass_accuracy

from gmoe.datasets import import_ogb
from gmoe.training import NodeDataModule, NodePredictor
from gmoe.training.task import Task
from tests.datasets.nodes import small
from tests.training import tiny

MIXTURE = {'num_experts': 4, 'num_experts_1hop': 2, 'top_k': 2}


def make_data(folder, graph=None, **kwargs):
    path = folder / 'mine.pt'
    torch.save(small.make_graph() if graph is None else graph, path)
    return NodeDataModule(str(path), **{'two_hop': 'exact', **kwargs})


def make_model(data, **kwargs):
    torch.manual_seed(0)
    return NodePredictor(
        data.name,
        data.task_type,
        data.eval_metric,
        in_channels=data.in_channels,
        out_channels=data.num_outputs,
        **{'hidden_channels': 8, 'num_layers': 2, **MIXTURE, **kwargs},
    )


def test_losses_and_scores_are_those_of_their_nodes(tmp_path):
    data = make_data(tmp_path)
    model = make_model(data, balance_weight=0.0)
    trainer = tiny.make_trainer(max_epochs=1)
    trainer.fit(model, data)
    (logged,) = trainer.validate(model, data, verbose=False)
    graph = data.graph.data
    whole = data._graph_as_whole.on(torch.device('cpu'), False)
    hop2 = whole['edge_index_2hop']
    model.eval()
    with torch.no_grad():
        out = model.gnn(graph.x, graph.edge_index, hop2)
    mask = graph.val_mask
    expected = functional.cross_entropy(out[mask], graph.y[mask])
    assert logged['val/loss'] == pytest.approx(float(expected), rel=1e-5)
    accuracy = multiclass_accuracy(
        out[mask].argmax(dim=1), graph.y[mask], 3, average='micro'
    )
    assert logged['val/accuracy'] == pytest.approx(float(accuracy))
    (predicted,) = trainer.predict(model, data)
    torch.testing.assert_close(predicted['prediction'], out.softmax(dim=1))


def test_other_nodes_do_not_teach(tmp_path):
    """Classes of validation and test nodes do not change the weights."""
    weights = []
    for shift in (0, 1):
        graph = small.make_graph()
        others = ~graph.train_mask
        graph.y[others] = (graph.y[others] + shift) % 3
        data = make_data(tmp_path, graph)
        model = make_model(data)
        trainer = tiny.make_trainer(max_epochs=2)
        trainer.fit(model, data)
        weights.append(model.gnn.head.weight.detach())
    assert torch.equal(*weights)


@pytest.mark.parametrize('conv', ['gcn', 'sage', 'gat'])
def test_learns_a_small_graph(conv, tmp_path):
    graph = small.make_graph()
    graph.x = torch.eye(small.NUM_NODES)
    data = make_data(tmp_path, graph, steps_per_epoch=30)
    model = make_model(data, conv=conv, dropout=0.0, balance_weight=0.01)
    trainer = tiny.make_trainer(max_epochs=2)
    trainer.fit(model, data)
    assert float(trainer.callback_metrics['train/task_loss']) < 0.3
    usage = [k for k in trainer.logged_metrics if 'expert_usage' in k]
    assert usage == []  # There is no logger.


def test_labels_of_two_classes(tmp_path):
    graph = small.make_graph()
    graph.y = (graph.y > 0).float().view(-1, 1)
    data = make_data(tmp_path, graph)
    model = make_model(data, class_weights='balanced')
    trainer = tiny.make_trainer(max_epochs=1)
    trainer.fit(model, data)
    assert trainer.callback_metrics['val/rocauc'].isfinite()
    y = graph.y[graph.train_mask]
    by_class = model.objective.label_weights.by_class[0]
    assert float(by_class[1]) == pytest.approx(len(y) / float(2 * y.sum()))


def test_scores_are_those_of_ogb():
    """Of ogbn-arxiv and ogbn-proteins."""
    evaluate = import_ogb('ogb.nodeproppred.evaluate')
    generator = np.random.default_rng(0)
    label = generator.integers(2, size=(50, 112))
    label[:, 3] = 0  # Of one class: left out.
    probability = generator.random((50, 112))
    task = Task('binary classification')
    score = task.score('ogbn-proteins', 'rocauc', 112, is_often=True)
    given = torch.tensor(probability).float()
    score.update(given, torch.tensor(label).float(), torch.arange(50))
    official = evaluate.Evaluator('ogbn-proteins').eval(
        {'y_true': label, 'y_pred': given.double().numpy()}
    )
    assert float(score.compute()) == pytest.approx(official['rocauc'])

    label = generator.integers(40, size=(500, 1))
    near = np.where(generator.random((500, 1)) < 0.6, label, 0)
    given = functional.one_hot(torch.tensor(near[:, 0]), 40).float()
    score = Task('multiclass classification').score(
        'ogbn-arxiv', 'accuracy', 40
    )
    score.update(given, torch.tensor(label[:, 0]), torch.arange(500))
    official = evaluate.Evaluator('ogbn-arxiv').eval(
        {'y_true': label, 'y_pred': near}
    )
    assert float(score.compute()['accuracy']) == pytest.approx(official['acc'])


def test_refused(tmp_path):
    data = make_data(tmp_path, two_hop=None)
    with pytest.raises(ValueError, match="'two_hop' of the data must be"):
        tiny.make_trainer(max_epochs=1).fit(make_model(data), data)
    sizes = {'in_channels': 2, 'out_channels': 2}
    with pytest.raises(ValueError, match="'task_type' must be one of"):
        NodePredictor('own', 'regression', 'rmse', **sizes)
    with pytest.raises(ValueError, match="'metric' must be one of"):
        NodePredictor('own', metric='rmse', **sizes)


def test_edges_are_sorted_once(tmp_path):
    data = make_data(tmp_path, max_hop2_neighbors=1)
    model = make_model(data)
    trainer = tiny.make_trainer(max_epochs=1)
    trainer.fit(model, data)
    kept = {name: hop for name, (_, hop) in model._edges._kept.items()}
    trainer.fit_loop.max_epochs = 3
    trainer.fit(model, data)
    again = model._edges._kept.items()
    assert all(hop is kept[name] for name, (_, hop) in again)
    sizes = [
        kept['edge_index_2hop', part].num_edges for part in ('training', '')
    ]
    assert sizes[0] == small.NUM_NODES < sizes[1]
