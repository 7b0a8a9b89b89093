import pandas as pd
import pytest
import torch
from lightning.pytorch import Callback, seed_everything

from gmoe.training import EpochSeed, PredictionWriter
from tests.training import tiny


class Draws(Callback):
    """Keeps a random number of each epoch, and disturbs the next ones."""

    def __init__(self):
        self.values = []

    def on_train_epoch_start(self, trainer, pl_module):
        self.values.append(float(torch.rand(())))
        torch.rand(torch.randint(9, ()))


def draws(seed, disturb=0):
    seed_everything(seed)
    torch.rand(disturb)
    keep = Draws()
    trainer = tiny.make_trainer(max_epochs=3, callbacks=[keep])
    trainer.fit(tiny.make_model(), tiny.make_data())
    return keep.values


def test_epoch_seed():
    values = draws(0)
    assert len(set(values)) == 3
    assert draws(0, disturb=5) == values
    assert not set(draws(1)) & set(values)


def test_epoch_seed_is_that_of_the_checkpoint():
    callback = EpochSeed()
    callback.load_state_dict(EpochSeed(7).state_dict())
    assert callback.seed == 7


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
