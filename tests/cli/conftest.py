"""Fixtures of the tests of the command line."""

import sys

import pytest

from gmoe import cli
from tests.training import tiny


@pytest.fixture(autouse=True)
def no_arguments(monkeypatch):
    """The arguments of pytest are not those of gmoe."""
    monkeypatch.setattr(sys, 'argv', ['gmoe'])


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """The configuration of a finished run."""
    config = tiny.write_config(tmp_path_factory.mktemp('cli'))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', ['gmoe'])
        cli.run(['fit', f'--config={config}', '--trainer.max_epochs=2'])
    return config


@pytest.fixture
def finished(config):
    """The folder of a finished run."""
    return config.parent / 'runs' / 'version_0'


@pytest.fixture
def refused(monkeypatch, capsys):
    """Runs a command that has to be refused; returns what the user sees."""

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['gmoe', *map(str, arguments)])
        with pytest.raises(SystemExit) as error:
            cli.main()
        assert error.value.code == 2
        message = capsys.readouterr().err
        assert 'Traceback' not in message
        return message.splitlines()

    return run
