"""Parses one XML file of WebNLG, without expanding anything."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from gmoe.common.shown import shown
from gmoe.common.triple import Triple, to_triple
from gmoe.datasets.errors import CorruptDatasetError
from gmoe.datasets.limits import MAX_FILE_SIZE

MAX_DEPTH = 16
#: The most elements of a file; the official ones have fewer than 100,000.
MAX_ELEMENTS = 2**20


@dataclass(frozen=True)
class WebNLGText:
    """A text with the content of a graph.

    Args:
        text: The text.
        lid: Its id within the entry.
        comment: `"good"` and the like, may be empty.
        lang: Its language, may be empty.
    """

    text: str
    lid: str = ''
    comment: str = ''
    lang: str = ''


@dataclass(frozen=True)
class WebNLGEntry:
    """An entry of WebNLG: a small knowledge graph with its category.

    Args:
        file: The file it is from, relative to the release.
        eid: Its id, unique within the file only.
        category: The subject matter of the graph.
        shape: The shape of the graph, as nested brackets.
        shape_type: `"chain"`, `"sibling"`, `"mixed"` or `"NA"`.
        triples: Subject, property and object of each modified triple, as they
            are written.
        original_triple_sets: The original triples, one set for each way to get
            the modified ones.
        texts: The references.
        dbpedia_links: Links, where the release has them.
        links: Links, where the release has them.
    """

    file: str
    eid: str
    category: str
    shape: str
    shape_type: str
    triples: tuple[Triple, ...]
    original_triple_sets: tuple[tuple[str, ...], ...] = ()
    texts: tuple[WebNLGText, ...] = ()
    dbpedia_links: tuple[str, ...] = ()
    links: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The number of triples."""
        return len(self.triples)

    @property
    def key(self) -> frozenset[Triple]:
        """A key that is the same for two entries with the same graph."""
        return frozenset(self.triples)


#: The name that earlier versions had for :func:`to_triple`.
parse_triple = to_triple


def parse_file(
    content: bytes,
    path: Path,
    file: str,
    on_error: Callable[[CorruptDatasetError], None] | None = None,
) -> list[WebNLGEntry]:
    """Parses and checks a file.

    Args:
        content: The content of the file.
        path: The file, for errors to name it.
        file: Its name relative to the release.
        on_error: Called with the error of an entry that is left out then;
            raised if not given.

    Raises:
        CorruptDatasetError: If the file is not well-formed XML of WebNLG,
            or declares a document type or entities, or one of its entries
            is malformed.
    """
    root = _parse_xml(content, path)
    entries = root.find('entries')
    if root.tag != 'benchmark' or entries is None:
        raise CorruptDatasetError(
            path,
            f"it must hold a 'benchmark' with 'entries', got "
            f'{shown(root.tag)}',
        )
    out, seen = [], set()
    for position, element in enumerate(entries):
        eid = element.get('eid') or ''
        try:
            entry = _parse_entry(element, file)
            if eid in seen:
                raise ValueError(
                    f"'eid' must be unique, got {shown(eid)} again"
                )
        except ValueError as e:
            number = f'entry number {position + 1}'
            what = f'entry {shown(eid)}' if eid else number
            error = CorruptDatasetError(path, f'{what}: {e}')
            if on_error is None:
                raise error from e
            on_error(error)
            continue
        seen.add(eid)
        out.append(entry)
    return out


def _parse_xml(content: bytes, path: Path) -> Element:
    corrupt = partial(CorruptDatasetError, path)
    if len(content) > MAX_FILE_SIZE:
        raise corrupt(
            f'it must be of at most {MAX_FILE_SIZE} bytes, got {len(content)}'
        )
    builder, depth, count = TreeBuilder(), 0, 0
    eid: str | None = None

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count, eid
        depth, count = depth + 1, count + 1
        if depth > MAX_DEPTH:
            raise corrupt(
                f'its elements must be nested at most {MAX_DEPTH} deep, got '
                f'more in line {parser.CurrentLineNumber}'
            )
        if count > MAX_ELEMENTS:
            raise corrupt(
                f'it must have at most {MAX_ELEMENTS} elements, got more'
            )
        if tag == 'entry':
            eid = attributes.get('eid')
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def forbid(*_: Any) -> Any:
        # Without declarations there are no entities to expand or to fetch.
        raise corrupt(
            f'it must be without a document type and without entity '
            f'declarations, got one in line {parser.CurrentLineNumber}'
        )

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = forbid
    parser.EntityDeclHandler = forbid
    parser.ExternalEntityRefHandler = forbid
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError, ValueError) as e:
        if isinstance(e, CorruptDatasetError):
            raise
        where = '' if eid is None else f' at or after entry {shown(eid)}'
        what = str(e)[:100]  # An unknown encoding has any length.
        raise corrupt(
            f'it must be complete, well-formed XML, got {what}{where}'
        ) from e
    return builder.close()


def _parse_entry(element: Element, file: str) -> WebNLGEntry:
    if element.tag != 'entry':
        raise ValueError(f"must be an 'entry', got {shown(element.tag)}")
    eid, category = element.get('eid'), element.get('category')
    if not eid or not category:
        raise ValueError(
            f"'eid' and 'category' must be given, got {shown(eid)} and "
            f'{shown(category)}'
        )
    sets = element.findall('modifiedtripleset')
    if len(sets) != 1:
        raise ValueError(f"must hold one 'modifiedtripleset', got {len(sets)}")
    triples = tuple(to_triple(text) for text in _texts(sets[0], 'mtriple'))
    if not triples:
        raise ValueError('must hold at least one triple, got none')
    size = element.get('size')
    if size is not None and size != str(len(triples)):
        raise ValueError(
            f"'size' must be the number of its triples, {len(triples)}, got "
            f'{shown(size)}'
        )
    original = tuple(
        _texts(child, 'otriple')
        for child in element.findall('originaltripleset')
    )
    return WebNLGEntry(
        file=file,
        eid=eid,
        category=category,
        shape=element.get('shape', ''),
        shape_type=element.get('shape_type', ''),
        triples=triples,
        original_triple_sets=original,
        texts=tuple(_parse_text(child) for child in element.findall('lex')),
        dbpedia_links=_links(element, 'dbpedialinks', 'dbpedialink'),
        links=_links(element, 'links', 'link'),
    )


def _texts(element: Element, tag: str) -> tuple[str, ...]:
    return tuple(_text(child) for child in element.findall(tag))


def _text(element: Element) -> str:
    if len(element):
        # The text behind an inner element would be lost.
        raise ValueError(
            f'{shown(element.tag)} must hold text alone, got '
            f'{shown(element[0].tag)} in it'
        )
    return (element.text or '').strip()


def _links(element: Element, group: str, tag: str) -> tuple[str, ...]:
    return tuple(
        text for child in element.findall(group) for text in _texts(child, tag)
    )


def _parse_text(element: Element) -> WebNLGText:
    rest = (element.get(name, '') for name in ('lid', 'comment', 'lang'))
    return WebNLGText((element.text or '').strip(), *rest)
