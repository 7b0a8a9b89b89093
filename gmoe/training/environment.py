"""The versions and devices that ``gmoe info`` prints."""

from __future__ import annotations

import functools
import platform
from importlib.metadata import PackageNotFoundError, version

import torch
from rich.console import Console
from rich.table import Table

import gmoe
from gmoe import ops

_PACKAGES = (
    'torch',
    'torch-geometric',
    'lightning',
    'ogb',
    'entmax',
    'torch-scatter',
    'rdkit',
    'transformers',
    'ray',
)


@functools.cache
def package_versions() -> dict[str, str]:
    """The versions of the packages that results depend on, as installed when
    this is called for the first time."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = 'not installed'
    return versions


def environment() -> dict[str, str]:
    """The versions, back end and devices that results depend on."""
    info = {'gmoe': gmoe.__version__, 'python': platform.python_version()}
    info |= package_versions()
    info['torch'] = torch.__version__  # With its build, unlike the package's.
    fused = f'fused ops (CPU{", CUDA" if ops.CUDA_AVAILABLE else ""})'
    eager = 'eager PyTorch (no fused ops)'
    info['back end'] = fused if ops.AVAILABLE else eager
    info['platform'] = platform.platform()
    info['cpu threads'] = str(torch.get_num_threads())
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = [torch.cuda.get_device_name(i) for i in range(count)]
    info['cuda devices'] = ', '.join(names) or 'none'
    return info


def print_info() -> None:
    """Prints the environment as a table."""
    table = Table('what', 'value', title='gmoe')
    for name, value in environment().items():
        table.add_row(name, value)
    Console().print(table)
