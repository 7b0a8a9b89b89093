import os
import sys

import pytest

from gmoe.common.memory import shown_bytes, usable_memory


def test_memory_of_the_machine():
    pages = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    assert 0 < usable_memory() <= pages


def test_limit_of_the_process(monkeypatch):
    resource = pytest.importorskip('resource')
    monkeypatch.setattr(resource, 'getrlimit', lambda kind: (12345, 99999))
    assert usable_memory() == 12345
    unlimited = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, 'getrlimit', lambda kind: (unlimited,) * 2)
    assert usable_memory() > 12345


def test_nothing_is_known(monkeypatch):
    def unknown(name):
        raise ValueError(name)

    monkeypatch.setattr(os, 'sysconf', unknown)
    monkeypatch.setitem(sys.modules, 'resource', None)
    assert usable_memory() == sys.maxsize


def test_bytes_as_people_write_them():
    shown = [shown_bytes(n) for n in (0, 999, 6720, 13e6, 2.5e9, 4e12)]
    assert shown == ['0 B', '999 B', '7 KB', '13 MB', '2.5 GB', '4,000.0 GB']
