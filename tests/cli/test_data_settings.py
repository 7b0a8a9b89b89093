"""Arguments of a network that its data have to say."""

import pytest

from tests.training import tiny


@pytest.mark.parametrize(
    ('option', 'rule'),
    [
        ('--model.out_channels=3', "'model.out_channels' must be '1', as"),
        ('--model.dataset=other', "'model.dataset' must be 'hop-mixture'"),
        ('--model.node_dims=[2]', "'model.node_dims' must be"),
    ],
)
def test_given_otherwise(tmp_path, refused, option, rule):
    config = tiny.write_config(tmp_path)
    before = sorted(tmp_path.iterdir())
    (line,) = refused('fit', f'--config={config}', option)
    assert rule in line
    assert line.endswith('leave it out')
    assert sorted(tmp_path.iterdir()) == before


def test_given_as_it_is(config, refused):
    """The run of a checkpoint says no more than its data."""
    given = ['validate', f'--config={config}', '--model.out_channels=1']
    (line,) = refused(*given, '--model.num_layers=9')
    assert "'model.num_layers' must be" in line
    (line,) = refused(*given, '--model.dataset=other')
    assert "'model.dataset' must be 'hop-mixture'" in line
