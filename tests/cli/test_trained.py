"""What the commands on trained molecules share."""

import warnings

import pytest

from gmoe.cli.parser import Parser
from gmoe.cli.trained import (
    add_input,
    add_model,
    find_device,
    quiet_loading,
    say,
)


def test_arguments():
    parser = Parser()
    add_model(parser)
    add_input(parser)
    found = parser.parse_args(['run', 'CCO', '-', '--smiles=s'])
    assert found.model == 'run'
    assert found.input == ['CCO', '-']
    assert found.smiles == 's'
    assert parser.parse_args(['run', 'CCO']).smiles is None


def test_warnings_are_left_out_meanwhile():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        with quiet_loading():
            warnings.warn('old', FutureWarning, stacklevel=1)
        with pytest.raises(FutureWarning, match='old'):
            warnings.warn('old', FutureWarning, stacklevel=1)


def test_beside_the_output(capsys):
    say('done')
    found = capsys.readouterr()
    assert (found.out, found.err) == ('', 'done\n')


def test_devices():
    assert find_device('cpu') == 'cpu'
    assert find_device('auto') in ('cpu', 'cuda')
    for name in ('gpu', 'meta', 'cuda:99', ''):
        with pytest.raises(ValueError, match=f"'device' must.*got '{name}'"):
            find_device(name)
