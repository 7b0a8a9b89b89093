"""Graphs whose missing edges are to be found, as ordinary PyG data objects.

:func:`load_links` reads OGB's by their names, in their official layout, with
their official negatives, and graphs of your own: a list of edges, a folder of
two tables, or a saved ``Data``. No file is unpickled.
"""

from gmoe.datasets.links.graph import LinkGraph, load_links
from gmoe.datasets.links.info import LINK_SETS, LinkInfo

__all__ = ['LINK_SETS', 'LinkGraph', 'LinkInfo', 'load_links']
