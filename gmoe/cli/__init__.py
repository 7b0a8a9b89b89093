"""The command ``gmoe``: fit, validate, test, predict, info."""

from gmoe.cli.command import main, run

__all__ = ['main', 'run']
