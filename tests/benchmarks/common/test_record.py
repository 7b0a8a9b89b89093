"""The command of a result says nothing of the machine."""

import sys

import pytest

from benchmarks.common.record import command


@pytest.mark.parametrize(
    ('given', 'said'),
    [
        ('/home/me/data/ogb', "'$GMOE_DATA_ROOT/ogb'"),
        ('/home/me/other/ogb', '.../ogb'),
        ('--root=/home/me/other/ogb/', '--root=.../ogb/'),
        ('~/ogb', '.../ogb'),
        ('/ogb', '.../ogb'),
        ('runs/a/b', 'runs/a/b'),
        ('molesol/gcn', 'molesol/gcn'),
        ('--set=data={a: 1}', "'--set=data={a: 1}'"),
    ],
)
def test_places(monkeypatch, given, said):
    monkeypatch.setenv('GMOE_DATA_ROOT', '/home/me/data')
    monkeypatch.setattr(sys, 'argv', ['name', '--cells', given])

    assert command().endswith(f' --cells {said}')


def test_without_data(monkeypatch):
    monkeypatch.delenv('GMOE_DATA_ROOT', raising=False)
    monkeypatch.setattr(sys, 'argv', ['name', '--root', '/home/me/data/ogb'])

    assert command().endswith(' --root .../ogb')
