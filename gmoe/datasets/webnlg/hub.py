"""WebNLG in the form of the former dataset ``web_nlg`` of the hub."""

import os
from pathlib import Path
from typing import Any

from gmoe.common.require import require
from gmoe.datasets.webnlg.protocol import (
    Protocol,
    load_release,
    report,
    webnlg_split,
)
from gmoe.datasets.webnlg.xml import WebNLGEntry

#: What the hub has of a text.
LEX = ('comment', 'lid', 'text', 'lang')


def webnlg_dataset_dict(
    root: str | os.PathLike[str] = 'data/webnlg',
    protocol: Protocol | None = None,
    **kwargs: Any,
) -> Any:
    """Returns WebNLG as a :obj:`datasets.DatasetDict`, with the splits and
    the nesting of what was :obj:`web_nlg` (:obj:`release_v3.0_en`) on the
    hub, so that code for that one works on it.

    Args:
        root: As in :func:`webnlg_split`.
        protocol: The protocol whose test entries are given; all 5,713 official
            ones if :obj:`None`.
        **kwargs: Additional arguments of :func:`webnlg_split`.

    Raises:
        ImportError: If the package `datasets` is not installed.
    """
    datasets = require('datasets')
    if protocol is None:
        log = kwargs.get('log', True)
        release = load_release(Path(root), **kwargs)
        parts = release.entries
        if log:
            print(report(dict(release.left_out)))
    else:
        split = webnlg_split(root, protocol, **kwargs)
        parts = {'train': split.train, 'dev': split.dev, 'test': split.test}
    features = hub_features(datasets)
    return datasets.DatasetDict(
        {
            name: datasets.Dataset.from_list(
                [hub_row(entry) for entry in entries], features=features
            )
            for name, entries in parts.items()
        }
    )


def hub_features(datasets: Any) -> Any:
    """Returns the features of the hub's dataset."""
    string = datasets.Value('string')

    def many(feature: Any) -> Any:
        return datasets.Sequence(feature)

    # The hub's sequences of dictionaries were dictionaries of sequences.
    return datasets.Features(
        {
            'category': string,
            'size': datasets.Value('int32'),
            'eid': string,
            'original_triple_sets': {'otriple_set': many(many(string))},
            'modified_triple_sets': {'mtriple_set': many(many(string))},
            'shape': string,
            'shape_type': string,
            'lex': {key: many(string) for key in LEX},
            'test_category': string,
            'dbpedia_links': many(string),
            'links': many(string),
        }
    )


def hub_row(entry: WebNLGEntry) -> dict[str, Any]:
    """Returns an entry in the nesting of the hub's dataset."""
    is_test = entry.file.startswith('test/')
    name = entry.file.rsplit('/', 1)[-1].removesuffix('.xml')
    return {
        'category': entry.category,
        'size': entry.size,
        'eid': entry.eid,
        'original_triple_sets': {
            'otriple_set': [list(s) for s in entry.original_triple_sets]
        },
        'modified_triple_sets': {
            'mtriple_set': [[' | '.join(t) for t in entry.triples]]
        },
        'shape': entry.shape,
        'shape_type': entry.shape_type,
        'lex': {key: [getattr(t, key) for t in entry.texts] for key in LEX},
        'test_category': name if is_test else '',
        'dbpedia_links': list(entry.dbpedia_links),
        'links': list(entry.links),
    }
