import torch

from gmoe.common.outline import outline, too_large
from gmoe.nn import GNN

WEIGHTS = {'a': torch.ones(4, 5), 'b': torch.ones(3), 'c': 'none'}


def test_too_large():
    assert too_large({'hidden_channels': 23, 'num_layers': 3}, WEIGHTS) is None
    assert too_large({'hidden_channels': 24}, WEIGHTS) == 'hidden_channels'
    assert too_large({'num_layers': 4}, WEIGHTS) == 'num_layers'
    assert too_large({'other': 24, 'num_layers': '9'}, WEIGHTS) is None


def test_outline_has_shapes_and_no_memory():
    arguments = {
        'out_channels': 2,
        'hidden_channels': 2**17,
        'num_layers': 2,
        'node_dims': (3,),
        'edge_dims': (2,),
    }
    tensors = outline(GNN, arguments).state_dict().values()
    assert {value.device.type for value in tensors} == {'meta'}
    assert sum(value.numel() for value in tensors) > 2**34
