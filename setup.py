"""The native build only: everything else is declared in setup.cfg."""

from setuptools import setup

setup()
