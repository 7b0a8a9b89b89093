import pytest
import torch

from gmoe.nn import LayeredNetwork
from gmoe.nn.models.layers import MixtureSettings
from tests.graphs import random_graph


class Mean(LayeredNetwork):
    """The mean of the nodes after the layers."""

    def __init__(self, num_layers=2, moe_layers=None, **settings):
        mixture = MixtureSettings(norm='layer_norm', **settings)
        super().__init__(
            mixture, num_layers, moe_layers, 0.0, residual=True, relu_last=True
        )
        self.add_layers('gcn', 4, (5, 6, 2))

    def predict(self, x, graphs):
        hidden, routings = self.run_layers(x, graphs)
        out = x.new_zeros(graphs.batch_size, 4)
        return out.index_add(0, graphs.batch, hidden[-1]), routings


def call(network, **change):
    data = random_graph()
    given = {'edge_attr': data.edge_attr, **change}
    return network.double()(
        data.x, data.edge_index, return_routing=True, **given
    )


@pytest.mark.parametrize(
    ('settings', 'num_hops', 'num_routings'),
    [
        ({'num_experts': 1}, 1, 0),
        ({'num_experts': 1, 'num_experts_1hop': 0}, 2, 0),
        ({'num_experts': 3}, 1, 2),
        ({'num_experts': 3, 'num_experts_1hop': 1}, 2, 2),
        ({'num_experts': 3, 'num_experts_1hop': 1, 'moe_layers': []}, 1, 0),
        ({'num_experts': 1, 'num_experts_1hop': 0, 'num_layers': 0}, 1, 0),
    ],
)
def test_layers_of_ones_own_network(settings, num_hops, num_routings):
    top_k = 2 if settings['num_experts'] > 1 else None
    network = Mean(top_k=top_k, **settings)
    assert network.num_hops == num_hops
    if num_hops == 2:
        with pytest.raises(ValueError, match="'edge_index_2hop' must be give"):
            call(network)
        return
    out, routings = call(network)
    assert out.shape == (1, 4)
    assert len(routings) == num_routings


def test_inputs_are_checked_once_for_all_networks():
    network = Mean(num_experts=3, top_k=2)
    with pytest.raises(ValueError, match="'batch' must have shape .9., got"):
        call(network, batch=torch.zeros(3).long())
    with pytest.raises(ValueError, match="'edge_attr' must be given.*None"):
        call(network, edge_attr=None)
    with pytest.raises(ValueError, match="'num_layers' must be .*, got -1"):
        Mean(num_layers=-1, num_experts=1)
