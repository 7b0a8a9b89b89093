"""Logged losses are means over labels, whatever the batches are."""

import pytest
import torch
from lightning.pytorch import Callback, seed_everything

from gmoe.training import GraphPredictor, OGBMolDataModule
from gmoe.training.metrics import SplitLoss
from tests.training import tiny

SINGLE = {'num_experts': 1, 'num_experts_1hop': 1, 'top_k': None}


@pytest.mark.parametrize('batch_size', [1, 7, 60])
def test_losses_do_not_depend_on_the_batch_size(batch_size):
    data = tiny.SomeLabels(batch_size=batch_size, test_curve=True)
    model = tiny.make_still()
    trainer = tiny.make_trainer(max_epochs=1)
    trainer.fit(model, data)
    logged = dict(trainer.callback_metrics)
    logged |= trainer.test(model, data, verbose=False)[0]
    for name, split in {
        'train/task_loss': 'train',
        'val/loss': 'valid',
        'test/loss': 'test',
        'test_curve/loss': 'test',
    }.items():
        expected = tiny.label_loss(model, data, split)
        assert float(logged[name]) == pytest.approx(expected, rel=1e-6), name
    total = logged['train/task_loss'] + 0.1 * logged['train/balance_loss']
    assert float(logged['train/loss']) == pytest.approx(float(total))


def test_callbacks_find_the_losses_of_an_epoch_at_its_end():
    found = []

    class Reader(Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            found.append(float(trainer.callback_metrics['train/task_loss']))
            assert 'train/balance_loss' in trainer.callback_metrics

    model, data = tiny.make_still(), tiny.SomeLabels()
    tiny.make_trainer(max_epochs=1, callbacks=[Reader()]).fit(model, data)
    expected = tiny.label_loss(model, data, 'train')
    assert found == [pytest.approx(expected, rel=1e-6)]


def test_steps_without_labels_weigh_nothing():
    # With one graph in each batch, most have no label of one task.
    data = tiny.SomeLabels(batch_size=1)
    data.num_tasks = 1
    model = tiny.make_still(out_channels=1)
    trainer = tiny.make_trainer(max_epochs=1)
    trainer.fit(model, data)
    expected = tiny.label_loss(model, data, 'train')
    loss = float(trainer.callback_metrics['train/task_loss'])
    assert loss == pytest.approx(expected, rel=1e-6)


def test_no_label_is_nan():
    model, data = tiny.make_still(), tiny.SomeLabels('none')
    trainer = tiny.make_trainer(max_epochs=1)
    with pytest.warns(UserWarning, match='no entry is labelled'):
        trainer.fit(model, data)
    logged = trainer.callback_metrics
    for name in ('train/task_loss', 'train/loss', 'val/loss', 'val/acc'):
        assert logged[name].isnan(), name
    assert logged['train/balance_loss'].isfinite()


def test_interrupted_epochs_leave_nothing():
    model, data = tiny.make_still(), tiny.SomeLabels()
    tiny.make_trainer().validate(model, data, verbose=False)
    (batch,) = data.val_dataloader()[0]
    batch = data.two_hop(batch)
    batch.y = 1 - batch.y
    model.validation_step(batch, 0)
    model.task_mean.update(torch.tensor(9.0), 9)
    model.usage.counts += 99
    trainer = tiny.make_trainer(max_epochs=1)
    trainer.fit(model, data)
    for name, split in (('train/task_loss', 'train'), ('val/loss', 'valid')):
        expected = tiny.label_loss(model, data, split)
        loss = float(trainer.callback_metrics[name])
        assert loss == pytest.approx(expected, rel=1e-6)


def test_losses_of_real_molecules(data_root, tmp_path):
    losses = []
    for batch_size in (1, 7, 2048):
        data = OGBMolDataModule(
            'ogbg-moltox21',
            data_root / 'ogb',
            cache_dir=tmp_path,
            download=False,
            batch_size=batch_size,
            two_hop=None,
        )
        data.setup()
        data.splits['test'] = data.splits['test'][:120]
        seed_everything(0)
        model = GraphPredictor(
            data.name, out_channels=12, **{**tiny.MODEL, **SINGLE}
        )
        trainer = tiny.make_trainer()
        (logged,) = trainer.test(model, data, verbose=False)
        losses.append(logged['test/loss'])
    assert losses[1:] == pytest.approx([losses[0]] * 2, rel=1e-6)


def test_split_loss_counts_each_graph_once():
    loss = SplitLoss()
    losses = torch.tensor([[1.0, 0.0], [2.0, 3.0], [0.0, 0.0]])
    labelled = torch.tensor([[True, False], [True, True], [False, False]])
    ids = torch.tensor([4, 2, 9])
    for rows in ([0, 1], [2], [1, 0]):
        loss.update(losses[rows], labelled[rows], ids[rows])
    total, count = loss.compute()
    assert (total, count) == (6, 3)
    assert total.dtype == torch.float64
