"""The training, validation and test links of a graph."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gmoe.common.shown import counted, shown
from gmoe.datasets.links.pairs import NonEdges, pair_keys

PARTS = ('train', 'valid', 'test')
#: The shares of training and validation links of a random split.
SHARES = (0.8, 0.1)


@dataclass(frozen=True)
class LinkSplit:
    """The links of each part, and pairs of nodes that are none.

    Args:
        links: Pairs of shape ``[2, num_pairs]`` for ``'train'``, ``'valid'``
            and ``'test'``.
        others: Pairs that are no links for ``'valid'`` and ``'test'``, which
            scores compare links with.
    """

    links: dict[str, Tensor]
    others: dict[str, Tensor]


def random_split(pairs: Tensor, seed: int) -> dict[str, Tensor]:
    """Draws the links of each part.

    Args:
        pairs: All links, of shape ``[2, num_pairs]``.
        seed: Decides on them.
    """
    count = pairs.size(1)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(count, generator=generator)
    first = round(SHARES[0] * count)
    second = first + round(SHARES[1] * count)
    parts = order[:first], order[first:second], order[second:]
    return {
        name: pairs[:, part.sort()[0]]
        for name, part in zip(PARTS, parts, strict=True)
    }


def draw_others(
    links: dict[str, Tensor], num_nodes: int, seed: int
) -> dict[str, Tensor]:
    """Draws as many pairs that are no links as there are links, for
    validation and test.

    Args:
        links: The links of each part.
        num_nodes: The number of nodes.
        seed: Decides on them.

    Raises:
        ValueError: If there are not that many.
    """
    known = torch.cat(list(links.values()), dim=1)
    sizes = [links['valid'].size(1), links['test'].size(1)]
    generator = torch.Generator().manual_seed(seed)
    drawn = NonEdges(known, num_nodes).draw_different(sum(sizes), generator)
    return dict(zip(('valid', 'test'), drawn.split(sizes, dim=1)))


def check_split(
    edges: Tensor,
    split: LinkSplit,
    num_nodes: int,
    ids: tuple[str, ...] | None = None,
) -> None:
    """Refuses a split that gives away what is to be found.

    Args:
        edges: The edges that training looks at.
        split: The links of each part.
        num_nodes: The number of nodes.
        ids: The ids of the nodes, where they are not their numbers.

    Raises:
        ValueError: If a validation or test link is an edge of the graph, or a
            link of another part, or a part has no links.
    """
    for part in ('train', 'valid'):
        if split.links[part].size(1) == 0:
            raise ValueError(f"'{part}' must hold a link, got none")
    seen = {'the graph': edges, **split.links}
    keys = {name: pair_keys(pair, num_nodes) for name, pair in seen.items()}
    names = list(keys)
    for i, part in enumerate(PARTS[1:]):
        for other in names[: i + 2]:
            both = torch.isin(keys[part], keys[other])
            if both.any():
                ends = split.links[part][:, both][:, 0].tolist()
                u, v = (i if ids is None else shown(ids[i]) for i in ends)
                raise ValueError(
                    f"'{part}' must hold links that are not in {other}, which "
                    f'would give them away, got nodes {u} and {v} in both '
                    f'({counted(int(both.sum()), "such link")})'
                )


def without_links(split: LinkSplit, num_nodes: int) -> tuple[LinkSplit, int]:
    """Leaves out pairs that are said to be no links, but are.

    Args:
        split: The links of each part.
        num_nodes: The number of nodes.

    Returns:
        The split, and how many are left out.
    """
    known = torch.cat(list(split.links.values()), dim=1)
    keys = pair_keys(known, num_nodes)
    others, count = {}, 0
    for part, pairs in split.others.items():
        is_link = torch.isin(pair_keys(pairs, num_nodes), keys)
        others[part] = pairs[:, ~is_link]
        count += int(is_link.sum())
    return LinkSplit(split.links, others), count
