import torch

from gmoe.training.metrics import WeightedMean


def test_weighted_mean():
    mean = WeightedMean()
    for value, weight in ((1.0, 3), (5.0, torch.tensor(1.0)), (9.0, 0)):
        mean.update(torch.tensor(value), weight)
    assert mean.compute() == 2
    mean.reset()
    mean.update(torch.tensor(1.0), 0)
    assert mean.compute().isnan()
