"""What is known of the public graphs of links before they are read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LinkInfo:
    """A graph whose missing edges are to be found.

    Args:
        name: Its name.
        eval_metric: The score that is usual for it.
        folder: Where it is below the root of all data.
        split: The folder of its official split below ``split``.
        num_features: The number of features of a node; 0 if it has none.
    """

    name: str
    eval_metric: str
    folder: str
    split: str
    num_features: int


_SETS = [
    LinkInfo('ogbl-ddi', 'hits@20', 'ogb/ogbl_ddi', 'target', 0),
    LinkInfo('ogbl-ppa', 'hits@100', 'ogb/ogbl_ppa', 'throughput', 58),
]
#: The public graphs by name.
LINK_SETS: dict[str, LinkInfo] = {info.name: info for info in _SETS}
