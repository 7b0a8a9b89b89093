"""The space of a search that is given none."""

import pytest

from gmoe.training import GraphPredictor
from gmoe.training.tuning import default_space

SETTINGS = {
    'model.hidden_channels': 150,
    'model.num_layers': 7,
    'model.conv': 'gcn',
    'model.dropout': 0.7,
    'model.pooling': 'mean',
    'model.learning_rate': 0.001,
    'model.num_experts': 8,
    'model.num_experts_1hop': 3,
    'model.top_k': 4,
    'data.batch_size': 32,
}


def test_the_configuration_is_in_it():
    space = default_space(SETTINGS)
    assert space.settings(space.find(SETTINGS)) == SETTINGS
    assert set(space.names) == set(SETTINGS)


def test_all_of_it_can_be_built():
    space = default_space(SETTINGS)
    ends = [space.settings(point) for point in space.ends()]
    for mixture in space.values['experts'].values:
        for settings in ends:
            model = {
                name.removeprefix('model.'): value
                for name, value in {**settings, **mixture}.items()
                if name.startswith('model.')
            }
            GraphPredictor(
                'ogbg-molbbbp',
                **{**model, 'hidden_channels': 8, 'num_layers': 2},
            )


def test_other_networks():
    space = default_space({'model.dropout': 0.1, 'model.other': 1})
    assert space.names == ['model.dropout']
    with pytest.raises(ValueError, match="'space' must be a file"):
        default_space({'model.other': 1})
