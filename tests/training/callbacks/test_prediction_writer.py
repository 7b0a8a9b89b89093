import pandas as pd
import pytest
import torch
from lightning.pytorch import seed_everything

from gmoe.training import PredictionWriter
from tests.training import tiny


@pytest.fixture(scope='module')
def model():
    seed_everything(0)
    return tiny.make_model()


@pytest.mark.parametrize('split', ['test', 'all'])
def test_predictions(model, tmp_path, split, capsys):
    path = tmp_path / 'new' / 'table.csv'
    data = tiny.make_data(predict_split=split, num_graphs=63)
    trainer = tiny.make_trainer(callbacks=[PredictionWriter(path)])
    trainer.predict(model, data)
    assert str(path) in capsys.readouterr().out
    assert list(path.parent.iterdir()) == [path]

    table = pd.read_csv(path)
    columns = ['graph_id', 'split', 'target_0', 'prediction_0']
    assert list(table) == columns
    parts = data.splits if split == 'all' else {split: data.splits[split]}
    for part, index in parts.items():
        rows = table[table['split'] == part]
        assert rows['graph_id'].tolist() == index.tolist()
    assert len(table) == sum(len(index) for index in parts.values())

    model.eval()
    for row in table.sample(5, random_state=0).itertuples():
        graph = data.two_hop(data.dataset[row.graph_id])
        with torch.no_grad():
            out, _ = model(graph)
        assert row.prediction_0 == pytest.approx(float(out.sigmoid()), 1e-5)
        assert row.target_0 == float(graph.y)


def test_predictions_go_to_the_run(model, tmp_path):
    trainer = tiny.make_trainer(
        callbacks=[PredictionWriter()], default_root_dir=tmp_path
    )
    trainer.predict(model, tiny.make_data())
    assert len(pd.read_csv(tmp_path / 'predictions.csv')) == 6


def test_predictions_beside_missing_labels(tmp_path):
    data = tiny.SomeLabels(batch_size=7, predict_split='all')
    trainer = tiny.make_trainer(
        callbacks=[PredictionWriter()], default_root_dir=tmp_path
    )
    trainer.predict(tiny.make_still(), data)
    table = pd.read_csv(tmp_path / 'predictions.csv')
    targets = torch.tensor(table.filter(like='target_').to_numpy())
    y = data.dataset._data.y.double()
    assert torch.equal(targets.isnan(), y.isnan())
    assert torch.equal(targets.nan_to_num(), y.nan_to_num())
    assert table.filter(like='prediction_').notna().all(axis=None)


def test_predictions_that_are_not_finite_are_told(tmp_path):
    model = tiny.make_still(num_experts=1, num_experts_1hop=1, top_k=None)
    with torch.no_grad():
        next(model.gnn.head.parameters()).fill_(float('nan'))
    trainer = tiny.make_trainer(
        callbacks=[PredictionWriter()], default_root_dir=tmp_path
    )
    with pytest.warns(UserWarning, match='6 of 6 graphs are not finite'):
        trainer.predict(model, tiny.SomeLabels())
