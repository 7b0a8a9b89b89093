"""Networks of pairs, trained."""

import pytest
import torch
from lightning.pytorch import seed_everything
from torch.nn import functional

from gmoe.training import LinkDataModule, LinkPredictor
from tests.datasets.links import small
from tests.training import tiny

MIXTURE = {'num_experts': 4, 'num_experts_1hop': 2, 'top_k': 2}


def make_data(folder, **kwargs):
    path = small.write_table(folder / 'mine.csv')
    return LinkDataModule(str(path), **{'two_hop': 'exact', **kwargs})


def make_model(data, **kwargs):
    torch.manual_seed(0)
    return LinkPredictor(
        data.name,
        data.task_type,
        data.eval_metric,
        in_channels=data.in_channels,
        num_nodes=data.num_nodes,
        **{'hidden_channels': 8, **MIXTURE, **kwargs},
    )


def test_losses_and_scores_are_those_of_their_pairs(tmp_path):
    data = make_data(tmp_path)
    model = make_model(data)
    trainer = tiny.make_trainer(max_epochs=1)
    trainer.fit(model, data)
    (logged,) = trainer.validate(model, data, verbose=False)
    graph = data.graph
    hop2 = data._whole.on(torch.device('cpu'), False).edge_index_2hop
    pairs = torch.cat([graph.links['valid'], graph.others['valid']], dim=1)
    y = torch.tensor([1.0, 1, 1, 0, 0, 0])
    model.eval()
    with torch.no_grad():
        out = model.gnn(None, graph.data.edge_index, pairs, hop2)
    expected = functional.binary_cross_entropy_with_logits(out, y)
    assert logged['val/loss'] == pytest.approx(float(expected), rel=1e-5)
    right = (out[:3, None] > out[None, 3:]).double().mean()
    assert logged['val/rocauc'] == pytest.approx(float(right))
    assert logged['val/hits@20'] == 1  # There are fewer others.
    (predicted,) = trainer.predict(model, data)
    links = graph.links['test'], graph.others['test']
    with torch.no_grad():
        out = model.gnn(
            None, graph.data.edge_index, torch.cat(links, dim=1), hop2
        )
    probability = out.double().sigmoid().unsqueeze(1)
    torch.testing.assert_close(predicted['prediction'], probability)


def test_other_links_do_not_teach(tmp_path):
    """Validation and test pairs do not change the weights."""
    weights = []
    for swap in (False, True):
        data = make_data(tmp_path)
        if swap:
            links, others = data.graph.links, data.graph.others
            links['valid'], others['valid'] = others['valid'], links['valid']
            links['test'], others['test'] = others['test'], links['test']
        model = make_model(data)
        seed_everything(0)
        tiny.make_trainer(max_epochs=2).fit(model, data)
        weights.append(model.gnn.embedding.weight.detach())
    assert torch.equal(*weights)


def test_resumed_run_is_as_if_not_stopped(tmp_path):
    weights = []
    for epochs in ([4], [2, 4]):
        folder = tmp_path / str(len(epochs))
        for count in epochs:
            data = make_data(tmp_path, batch_size=5)
            model = make_model(data)
            seed_everything(3)
            trainer = tiny.make_trainer(max_epochs=count)
            path = folder / 'last.ckpt'
            trainer.fit(
                model,
                data,
                ckpt_path=path if path.exists() else None,
                weights_only=True,
            )
            trainer.save_checkpoint(path)
        weights.append(model.state_dict())
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


@pytest.mark.parametrize('how', ['norm', 'value', None])
def test_gradients_of_each_part_are_bounded(how, tmp_path):
    model = make_model(make_data(tmp_path))
    parts = [model.gnn.embedding, model.gnn.encoder, model.gnn.head]
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 2.0)
    bound = None if how is None else 0.5
    model.configure_gradient_clipping(None, bound, how)
    for part in parts:
        grads = [p.grad.view(-1) for p in part.parameters()]
        grad = torch.cat(grads)
        if how == 'norm':
            assert float(grad.norm()) == pytest.approx(0.5, rel=1e-4)
        else:
            assert set(grad.tolist()) == {2.0 if how is None else 0.5}


def test_edges_are_sorted_once(tmp_path):
    data = make_data(tmp_path, max_hop2_neighbors=1)
    model = make_model(data)
    trainer = tiny.make_trainer(max_epochs=1)
    trainer.fit(model, data)
    kept = dict(model._edges._kept)
    assert len(kept) == 3
    trainer.fit_loop.max_epochs = 3
    trainer.fit(model, data)
    assert all(model._edges._kept[name] is kept[name] for name in kept)


def test_refused(tmp_path):
    data = make_data(tmp_path, two_hop=None)
    with pytest.raises(ValueError, match="'two_hop' of the data must be"):
        tiny.make_trainer(max_epochs=1).fit(make_model(data), data)
    with pytest.raises(ValueError, match="'metric' must be one of"):
        LinkPredictor(metric='rmse', num_nodes=3)
    with pytest.raises(ValueError, match="'task_type' must be one of"):
        LinkPredictor(task_type='regression', num_nodes=3)
    with pytest.raises(ValueError, match="'out_channels' must be"):
        LinkPredictor(out_channels=2, num_nodes=3)
