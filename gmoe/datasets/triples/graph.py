"""Turns a set of triples into a graph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gmoe.common.shown import shown
from gmoe.common.triple import Triple, to_triple
from gmoe.datasets.triples.text import (
    NodeType,
    normalize_node,
    normalize_property,
)


@dataclass(frozen=True)
class TripleGraph:
    """A graph made of triples.

    Args:
        node_type: The kind of each node.
        node_text: The text of each node, normalised.
        source: The subject of each triple.
        target: The object of each triple.
        property_text: The property of each triple, normalised.
        root: The node that the graph is about.
    """

    node_type: list[NodeType]
    node_text: list[str]
    source: list[int]
    target: list[int]
    property_text: list[str]
    root: int


def triples_to_graph(triples: Sequence[Triple | str]) -> TripleGraph:
    """Returns the graph of some triples, with one edge for each of them.

    Subjects and objects of one name are one node, however the characters of
    the name are composed. A literal is a node for each triple that it is the
    object of: two people who are born in the same year are not linked by it.
    A name that is a subject anywhere is an entity.

    The root is a subject that is never an object. If several are, or none
    is, it is the one that leads to most other nodes along the triples, then
    the one with most triples of its own, then the first.

    Args:
        triples: Subject, property, object, or texts of the form `subject |
            property | object`.

    Raises:
        ValueError: If there are no triples, or one is malformed.
    """
    if isinstance(triples, str) or not triples:
        raise ValueError(
            f"'triples' must hold at least one, got {shown(triples)}"
        )
    read = [to_triple(t, f'triple {i}') for i, t in enumerate(triples)]
    subjects = {subject for subject, _, _ in read}
    ids: dict[str, int] = {}
    types: list[NodeType] = []
    texts: list[str] = []

    def add(name: str, prop: str) -> int:
        kind, text = normalize_node(name, prop)
        if name in subjects:
            kind = NodeType.ENTITY
        if kind == NodeType.ENTITY and name in ids:
            return ids[name]
        if kind == NodeType.ENTITY:
            ids[name] = len(types)
        types.append(kind)
        texts.append(text)
        return len(types) - 1

    source, target = [], []
    for subject, prop, obj in read:
        source.append(add(subject, ''))
        target.append(add(obj, prop))
    return TripleGraph(
        node_type=types,
        node_text=texts,
        source=source,
        target=target,
        property_text=[normalize_property(prop) for _, prop, _ in read],
        root=find_root(source, target),
    )


def find_root(source: Sequence[int], target: Sequence[int]) -> int:
    """Returns the root, see :func:`triples_to_graph`."""
    candidates = list(dict.fromkeys(source))
    objects = set(target)
    if free := [node for node in candidates if node not in objects]:
        candidates = free
    if len(candidates) == 1:
        return candidates[0]
    neighbors: dict[int, list[int]] = {}
    for s, t in zip(source, target):
        neighbors.setdefault(s, []).append(t)
    # `max` keeps the first of equals.
    return max(
        candidates,
        key=lambda node: (_reach(node, neighbors), len(neighbors[node])),
    )


def _reach(node: int, neighbors: Mapping[int, Sequence[int]]) -> int:
    seen, stack = {node}, [node]
    while stack:
        for other in neighbors.get(stack.pop(), ()):
            if other not in seen:
                seen.add(other)
                stack.append(other)
    return len(seen)
