"""Sphinx settings."""

import gmoe

project = 'gmoe'
author = 'The gmoe authors'
release = gmoe.__version__

extensions = [
    'myst_nb',
    'sphinx.ext.autodoc',
    'sphinx.ext.mathjax',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
]
myst_enable_extensions = ['dollarmath']
myst_heading_anchors = 3
napoleon_custom_sections = [('Shapes', 'params_style')]
autodoc_member_order = 'bysource'
autodoc_typehints = 'none'
exclude_patterns = ['_build']
# Notebooks are kept without outputs, and run here.
nb_execution_mode = 'force'
nb_execution_timeout = 1200
nb_execution_raise_on_error = True
html_theme = 'furo'
html_title = 'gmoe'
autodoc_inherit_docstrings = False
