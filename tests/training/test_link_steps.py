"""What the steps of an epoch see."""

import torch

from gmoe.datasets.links.pairs import NonEdges, pair_keys
from gmoe.training.link_steps import LinkBatches, LinkSteps
from gmoe.training.node_batches import step_loader
from tests.datasets.links.small import LINKS, NUM_NODES


def steps(epoch, seed=0):
    sampler = LinkBatches(LINKS.size(1), 10, seed)
    sampler.set_epoch(epoch)
    loader = step_loader(LinkSteps(LINKS, NonEdges(LINKS, 12)), sampler)
    assert len(loader) == 3
    return list(loader)


def test_each_link_once_and_as_many_others():
    batches = steps(0)
    keys = {1: [], 0: []}
    for batch, count in zip(batches, (10, 10, 4), strict=True):
        assert batch.pairs.shape == (2, 2 * count)
        assert batch.y.tolist() == [1] * count + [0] * count
        assert torch.equal(batch.graph_id, torch.arange(2 * count))
        for label, kept in keys.items():
            pairs = batch.pairs[:, batch.y == label]
            kept.append(pair_keys(pairs, NUM_NODES))
    links = pair_keys(LINKS, NUM_NODES)
    assert torch.equal(torch.cat(keys[1]).sort()[0], links.sort()[0])
    assert not torch.isin(torch.cat(keys[0]), links).any()


def test_seed_and_epoch_decide():
    same = [torch.equal(a.pairs, b.pairs) for a, b in zip(steps(1), steps(1))]
    assert all(same)
    state = torch.get_rng_state()
    for other in (steps(2), steps(1, seed=1), steps(0)):
        for a, b in zip(steps(1), other):
            assert not torch.equal(a.pairs[:, :4], b.pairs[:, :4])
            assert not torch.equal(a.pairs[:, -4:], b.pairs[:, -4:])
    assert torch.equal(torch.get_rng_state(), state)
