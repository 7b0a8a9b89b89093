"""The public names of the package, and how fast they come."""

import inspect
import re
import subprocess
import sys

import pytest

import gmoe

SUBPACKAGES = (
    'datasets',
    'molecules',
    'nn',
    'ops',
    'routing',
    'testing',
    'text',
    'training',
    'transforms',
    'visualize',
)


def test_import_is_lazy():
    code = (
        'import sys, gmoe\n'
        "heavy = {'torch', 'numpy', 'torch_geometric', 'lightning'}\n"
        'assert not heavy & set(sys.modules), heavy & set(sys.modules)\n'
        'gmoe.routing.balance_loss, gmoe.GMoEConv\n'
        "assert 'lightning' not in sys.modules\n"
    )
    subprocess.run([sys.executable, '-c', code], check=True)


def test_dir_shows_the_names():
    assert dir(gmoe) == sorted(gmoe.__all__)
    assert set(SUBPACKAGES) < set(dir(gmoe))
    assert len(gmoe.__all__) == len(SUBPACKAGES) + 12


def test_unknown_name():
    with pytest.raises(AttributeError, match="'gmoe' has no attribute 'nn2'"):
        _ = gmoe.nn2


@pytest.mark.parametrize('name', gmoe.__all__)
def test_names_are_documented(name):
    value = getattr(gmoe, name)
    assert value.__doc__
    assert getattr(gmoe, name) is value


def undocumented(value):
    """The parameters that a docstring leaves out."""
    make = value.__init__ if inspect.isclass(value) else value
    if not getattr(make, '__module__', '').startswith('gmoe'):
        return set()  # Those of Lightning or Python, as its base has them.
    names = {
        name
        for name in inspect.signature(make).parameters
        if name not in ('self', 'args') and not name.startswith('_')
    }
    return names - set(re.findall(r'^ +\**(\w+):', value.__doc__, re.M))


@pytest.mark.parametrize('name', SUBPACKAGES)
def test_names_of_subpackages_are_documented(name):
    package = getattr(gmoe, name)
    names = getattr(package, '__all__', [])
    assert len(names) == len(set(names))
    assert package.__doc__
    for public in names:
        value = getattr(package, public)
        if inspect.isclass(value) or inspect.isroutine(value):
            assert value.__doc__, f'{name}.{public}'
            assert not undocumented(value), f'{name}.{public}'
