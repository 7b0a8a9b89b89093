import pytest
import torch

from gmoe.routing import Router, collect_routing, hold_selection
from gmoe.routing.graphs import check_batch, mean_of

BATCH = torch.tensor([0, 0, 0, 2, 2])


def test_mean():
    x = torch.randn(5, 3).double()
    mean = mean_of(x, BATCH)
    assert torch.allclose(mean[0], (x[0] + x[1] + x[2]) / 3)
    assert not mean[1].any()
    assert torch.allclose(mean[2], (x[3] + x[4]) / 2)
    assert mean_of(x[:0], BATCH[:0]).shape == (0, 3)


def test_check():
    x = torch.randn(5, 3)
    assert check_batch(None, x).tolist() == [0] * 5
    assert check_batch(BATCH, x) is BATCH
    with pytest.raises(ValueError, match="'batch' must .*shape.*5.*4"):
        check_batch(BATCH[:4], x)
    with pytest.raises(ValueError, match="'batch' must be an int64 tensor"):
        check_batch(BATCH.int(), x)
    with pytest.raises(ValueError, match="'batch' must hold .* got -1"):
        check_batch(BATCH - 1, x)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(
    'kwargs',
    [
        {'top_k': 2},
        {'normalize': 'sparsemax'},
        {'select': 'top_p', 'select_kwargs': {'p': 0.6}, 'noise': True},
    ],
)
def test_one_choice_for_a_graph(kwargs, training):
    torch.manual_seed(0)
    router = Router(3, 4, level='graph', **kwargs).double().train(training)
    single = Router(3, 4, **kwargs).double().train(training)
    for parameter in router.parameters():
        torch.nn.init.normal_(parameter)
    single.load_state_dict(router.state_dict())
    x = torch.randn(5, 3).double()
    torch.manual_seed(5)
    with collect_routing(router) as routings:
        routing = router(x, BATCH)
    assert routings == [routing]
    torch.manual_seed(5)
    alone = single(mean_of(x, BATCH))
    assert routing.num_nodes == 5
    for node, graph in enumerate(BATCH):
        assert torch.equal(routing.gates[node], alone.gates[graph])
        assert torch.equal(routing.logits[node], alone.logits[graph])
    if 'top_k' in kwargs:
        assert routing.slots_per_node == 2
    if routing.load_probabilities is not None:
        expected = alone.load_probabilities[BATCH]
        assert torch.equal(routing.load_probabilities, expected)
    sizes = torch.tensor([3, 0, 2]).view(3, 1)
    routing.gates.square().sum().backward()
    (alone.gates.square() * sizes).sum().backward()
    for grad, slow in zip(
        (p.grad for p in router.parameters()),
        (p.grad for p in single.parameters()),
    ):
        assert (grad is None) == (slow is None)
        assert grad is None or torch.allclose(grad, slow)


def test_held_and_empty():
    torch.manual_seed(0)
    router = Router(3, 4, 2, level='graph').double().eval()
    torch.nn.init.normal_(router.score_gate.weight)
    x, other = torch.randn(2, 5, 3).double()
    routing = router(x, BATCH)
    with hold_selection(router, [routing]):
        held = router(other, BATCH)
        same = router(x, BATCH)
    assert torch.equal(held.expert, routing.expert)
    assert torch.allclose(same.gates, routing.gates)
    assert router(x[:0]).num_slots == 0
    assert router(x).gates.unique(dim=0).size(0) == 1
    assert "level='graph'" in str(router)


def test_refused():
    with pytest.raises(ValueError, match="'level' must be one of .* 'batch'"):
        Router(3, 4, 2, level='batch')
    with pytest.raises(ValueError, match="'level' must be 'node' where"):
        Router(3, 4, select='expert_choice', level='graph')
    given = {'scope': 'batch'}
    Router(3, 4, select='expert_choice', select_kwargs=given, level='graph')
