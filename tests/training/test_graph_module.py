import pickle

import pytest
import torch
from lightning.pytorch import seed_everything
from torch import nn
from torch_geometric.data import Batch

from gmoe.datasets import OGBMolDataset
from gmoe.routing import BalancedTopK
from gmoe.training import GraphPredictor, OGBMolDataModule
from tests.training import tiny

NAN = float('nan')
LOSSES = {
    'binary classification': nn.BCEWithLogitsLoss(),
    'regression': nn.MSELoss(),
}


def predictor(task_type, num_tasks=1):
    regression = task_type == 'regression'
    return GraphPredictor(
        dataset='ogbg-molesol' if regression else 'ogbg-moltox21',
        task_type=task_type,
        metric='rmse' if regression else 'rocauc',
        out_channels=num_tasks,
        hidden_channels=8,
        num_layers=2,
    )


@pytest.mark.parametrize('task_type', list(LOSSES))
@pytest.mark.parametrize('num_tasks', [1, 12])
def test_task_loss_of_labelled_entries(task_type, num_tasks):
    generator = torch.Generator().manual_seed(0)
    shape = (7, num_tasks)
    out = torch.randn(shape, generator=generator, requires_grad=True)
    y = torch.randint(2, shape, generator=generator).float()
    missing = torch.rand(shape, generator=generator) < 0.4
    y[missing] = NAN
    assert missing.any()

    loss = predictor(task_type, num_tasks).task_loss(out, y)
    expected = LOSSES[task_type](out[~missing], y[~missing])
    assert torch.allclose(loss, expected, rtol=1e-6)
    (grad,) = torch.autograd.grad(loss, out)
    (slow,) = torch.autograd.grad(expected, out)
    assert torch.allclose(grad, slow, rtol=1e-5)
    assert (grad[missing] == 0).all()
    flat = predictor(task_type, num_tasks).task_loss(out, y.view(-1))
    assert torch.equal(flat, loss)


@pytest.mark.parametrize('task_type', list(LOSSES))
def test_task_loss_without_labels(task_type):
    out = torch.randn(3, 2, requires_grad=True)
    loss = predictor(task_type, 2).task_loss(out, torch.full((3, 2), NAN))
    (grad,) = torch.autograd.grad(loss, out)
    assert loss == 0
    assert (grad == 0).all()


@pytest.mark.parametrize(
    ('argument', 'value'),
    [
        ('task_type', 'multiclass'),
        ('metric', 'auc'),
        ('metric', 'rmse'),
        ('learning_rate', -1e-3),
        ('learning_rate', NAN),
        ('weight_decay', -1.0),
        ('balance_weight', -0.1),
        ('top_k', 5),
        ('num_experts_1hop', 5),
        ('conv', 'gat'),
        ('dropout', 1.0),
    ],
)
def test_refused_arguments(argument, value):
    with pytest.raises(ValueError, match=f'{argument}.* got'):
        tiny.make_model(**{argument: value})


def test_hop_2_experts_need_hop_2_edges():
    trainer = tiny.make_trainer()
    with pytest.raises(ValueError, match="'two_hop'.*'exact'.*got None"):
        trainer.fit(tiny.make_model(), tiny.make_data(two_hop=None))
    trainer.fit(
        tiny.make_model(num_experts_1hop=4), tiny.make_data(two_hop=None)
    )


def test_optimizer_takes_its_arguments():
    model = tiny.make_model(learning_rate=0.02, weight_decay=0.3)
    (group,) = model.configure_optimizers().param_groups
    assert (group['lr'], group['weight_decay']) == (0.02, 0.3)
    assert len(group['params']) == len(list(model.parameters()))


def test_logs_of_an_epoch(tmp_path):
    trainer = tiny.fit(tmp_path, max_epochs=2)
    table = tiny.logged(tmp_path)
    total = table['train/task_loss'] + 0.1 * table['train/balance_loss']
    assert (total - table['train/loss']).abs().max() < 1e-6
    assert table['val/acc'].between(0, 1).all()
    for layer in range(2):
        usage = table.filter(like=f'expert_usage/layer{layer}/')
        assert usage.shape == (2, 4)
        assert ((usage.sum(axis=1) - 1).abs() < 1e-6).all()
    assert trainer.lightning_module.usage.counts.sum() == 0


def test_checkpoint_loads_without_pickle(tmp_path):
    trainer = tiny.fit(tmp_path, max_epochs=1)
    path = tmp_path / 'best.ckpt'
    torch.load(path, weights_only=True)
    loaded = GraphPredictor.load_from_checkpoint(path, weights_only=True)
    model = trainer.lightning_module
    assert loaded.hparams == model.hparams
    for name, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name])


def predictions(model, batch):
    with torch.no_grad():
        return model.to_prediction(model(batch)[0])


def test_loaded_network_is_ready_to_predict(tmp_path):
    trainer = tiny.fit(tmp_path, max_epochs=2)
    data = trainer.datamodule
    loaded = GraphPredictor.load_from_checkpoint(tmp_path / 'last.ckpt')
    assert not any(module.training for module in loaded.modules())
    batch = data.two_hop(next(iter(data.test_dataloader())))
    out = predictions(loaded, batch)
    assert torch.equal(out, predictions(loaded, batch))
    (expected,) = trainer.predict(trainer.lightning_module, data)
    assert torch.equal(out, expected['prediction'])


def test_loaded_network_can_be_trained_further(tmp_path):
    tiny.fit(tmp_path, max_epochs=1)
    losses = []
    for mode in (True, False):
        seed_everything(0)
        model = GraphPredictor.load_from_checkpoint(tmp_path / 'last.ckpt')
        model.train(mode)
        trainer = tiny.make_trainer(max_epochs=1)
        trainer.fit(model, tiny.make_data())
        assert all(module.training for module in model.gnn.modules())
        losses.append(trainer.callback_metrics['train/loss'])
    assert losses[0] == losses[1]


def test_checkpoint_of_a_gpu_loads_where_there_is_none(tmp_path, monkeypatch):
    tiny.fit(tmp_path, max_epochs=1)
    path = tmp_path / 'last.ckpt'
    state = torch.load(path, weights_only=True)
    # What a GPU's tensors are saved as.
    monkeypatch.setattr(
        torch.serialization, 'location_tag', lambda storage: 'cuda:0'
    )
    torch.save(state, tmp_path / 'gpu.ckpt')
    monkeypatch.undo()
    kwargs = {'map_location': 'cpu'} if torch.cuda.is_available() else {}
    loaded = GraphPredictor.load_from_checkpoint(
        tmp_path / 'gpu.ckpt', **kwargs
    )
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, state['state_dict'][name])


def test_checkpoint_with_code_is_refused(tmp_path):
    tiny.fit(tmp_path, max_epochs=1)
    path = tmp_path / 'last.ckpt'
    state = torch.load(path, weights_only=True)
    state['hyper_parameters']['dataset'] = Unknown()
    torch.save(state, path)
    with pytest.raises(pickle.UnpicklingError, match='Unknown'):
        GraphPredictor.load_from_checkpoint(path)


class Unknown:
    """What may do anything when it is loaded."""


def test_optimizer_is_adam():
    ours, plain = tiny.make_model(), tiny.make_model()
    plain.load_state_dict(ours.state_dict())
    optimizers = (
        ours.configure_optimizers(),
        torch.optim.Adam(plain.parameters(), ours.learning_rate),
    )
    for _ in range(3):
        for a, b in zip(ours.parameters(), plain.parameters()):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for a, b in zip(ours.parameters(), plain.parameters()):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize('conv', ['gcn', 'gin'])
def test_bf16_mixed_precision(conv):
    seed_everything(0)
    model = tiny.make_model(conv=conv)
    before = {name: p.clone() for name, p in model.named_parameters()}
    types = []

    def watch(_, inputs, routing):
        types.append((inputs[0].dtype, routing.logits.dtype))

    model.gnn.convs[1].router.register_forward_hook(watch)
    trainer = tiny.make_trainer(max_epochs=1, precision='bf16-mixed')
    trainer.fit(model, tiny.make_data())
    if conv == 'gin':  # GCN's edge terms are added in float32.
        assert (torch.bfloat16, torch.float32) in types
    assert all(logits == torch.float32 for _, logits in types)
    assert trainer.callback_metrics['train/loss'].isfinite()
    assert 0 <= trainer.callback_metrics['val/acc'] <= 1
    for parameter in model.parameters():
        assert parameter.dtype == torch.float32
        assert parameter.isfinite().all()
    assert any((p != before[n]).any() for n, p in model.named_parameters())


@pytest.mark.parametrize('conv', ['gcn', 'gin'])
def test_tiny_dataset_is_overfitted(conv):
    seed_everything(0)
    data = tiny.make_data(
        num_graphs=20, batch_size=16, drop_nodes=0.0, predict_split='train'
    )
    model = tiny.make_model(
        conv=conv,
        hidden_channels=32,
        dropout=0.0,
        learning_rate=0.01,
        # The same in training and evaluation, unlike batch statistics.
        norm='layer_norm',
    )
    trainer = tiny.make_trainer(max_epochs=100, limit_val_batches=0)
    trainer.fit(model, data)
    (batch,) = trainer.predict(model, data)
    assert batch['target'].shape == (16, 1)
    assert ((batch['prediction'] > 0.5) == (batch['target'] == 1)).all()


def test_molecules_of_one_atom(data_root):
    dataset = OGBMolDataset('ogbg-moltox21', data_root / 'ogb', download=False)
    atoms = dataset.slices['x'].diff()
    single = (atoms == 1).nonzero().view(-1)[:3].tolist()
    assert single
    data = OGBMolDataModule('ogbg-moltox21')
    for graphs in (single, single[:1]):
        batch = Batch.from_data_list([dataset[i] for i in graphs])
        batch = data.on_after_batch_transfer(batch, 0)
        assert batch.edge_index_2hop.shape == (2, 0)
        for conv in ('gcn', 'gin'):
            model = GraphPredictor(
                dataset=data.name,
                out_channels=12,
                **{**tiny.MODEL, 'conv': conv},
            )
            loss = model.training_step(batch, 0)
            loss.backward()
            assert loss.isfinite()
            for parameter in model.parameters():
                assert parameter.grad.isfinite().all()


@pytest.mark.parametrize('parts', [1, 2])
def test_balance_moves_after_each_step(monkeypatch, parts):
    moves = []
    update = BalancedTopK.update

    def counted(selection):
        before = selection.bias.clone()
        update(selection)
        moves.append((selection.bias - before).abs().max().item())

    monkeypatch.setattr(BalancedTopK, 'update', counted)
    seed_everything(0)
    given = {'select': 'balanced_top_k', 'select_kwargs': {'rate': 0.5}}
    model = tiny.make_model(router_kwargs=given)
    trainer = tiny.make_trainer(max_epochs=1, accumulate_grad_batches=parts)
    trainer.fit(model, tiny.make_data())
    layers = 2
    assert len(moves) == layers * trainer.global_step
    assert trainer.global_step < trainer.num_training_batches / parts + 1
    assert max(moves) == 0.5
