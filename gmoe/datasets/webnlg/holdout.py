"""Parts of WebNLG whose entities are held out of training."""

import hashlib
from collections.abc import Sequence

from gmoe.common.arguments import check_integer
from gmoe.datasets.triples.graph import triples_to_graph
from gmoe.datasets.webnlg.xml import WebNLGEntry

#: In how many parts the root entities are divided.
NUM_HOLDOUTS = 6

#: The least share of the nodes of an entry to validate on that are new.
NEW = 0.75


def held_out_split(
    train: Sequence[WebNLGEntry], dev: Sequence[WebNLGEntry], holdout: int
) -> tuple[list[int], list[int]]:
    """Returns the positions of the entries to train on, and of those to
    validate on, in `train` and `dev` one after the other.

    Those to validate on are about a root entity that no entry to train on
    mentions, and most of their other nodes are new, too: so are those of the
    test entries about new entities, which are almost half of them. Which
    part an entity is in depends on its name alone.

    Args:
        train: The training entries.
        dev: The development entries.
        holdout: The part of the root entities that is held out.

    Raises:
        ValueError: If there is no such part.
    """
    check_integer(0, NUM_HOLDOUTS - 1, holdout=holdout)
    graphs = [triples_to_graph(entry.triples) for entry in (*train, *dev)]
    roots = [graph.node_text[graph.root] for graph in graphs]
    held_out = {root for root in roots if part_of(root) == holdout}
    kept = [
        i
        for i, graph in enumerate(graphs[: len(train)])
        if held_out.isdisjoint(graph.node_text)
    ]
    known = {text for i in kept for text in graphs[i].node_text}
    new = [
        sum(text not in known for text in graph.node_text) for graph in graphs
    ]
    valid = [
        i
        for i, graph in enumerate(graphs)
        if roots[i] in held_out and new[i] >= NEW * len(graph.node_text)
    ]
    return kept, valid


def part_of(name: str) -> int:
    """Returns the part that an entity is in."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:4], 'big') % NUM_HOLDOUTS
