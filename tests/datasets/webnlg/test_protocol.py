from collections import Counter
from pathlib import Path

import pytest

from gmoe.datasets import CorruptDatasetError, webnlg_split
from gmoe.datasets.webnlg import CATEGORIES
from tests.datasets.webnlg_files import (
    AARHUS,
    PARSING,
    WITH_REFS,
    write_release,
)


def test_published(tmp_path: Path, capsys: pytest.CaptureFixture):
    out = webnlg_split(write_release(tmp_path), 'published')
    assert [len(part) for part in (out.train, out.dev, out.test)] == [2, 1, 6]
    assert out.selection == 'test'
    assert out.left_out == {"test: category 'Film' not in training": 2}
    assert capsys.readouterr().out == (
        "WebNLG: left out 2 (test: category 'Film' not in training)\n"
    )


def test_clean(tmp_path: Path):
    out = webnlg_split(write_release(tmp_path), 'clean', log=False)
    # The order of triples makes no other graph.
    assert [(Path(entry.file).name, entry.eid) for entry in out.test] == [
        (WITH_REFS, 'Id1'),
        (WITH_REFS, 'Id3'),
        (PARSING, 'Id2'),
    ]
    assert out.kind == ['seen', 'unseen_entities', 'unseen_category']
    assert out.selection == 'dev'
    assert out.left_out['test: graph that is there already'] == 3


def test_raises(tmp_path: Path):
    with pytest.raises(ValueError, match=r"'protocol'.*'other'"):
        webnlg_split(write_release(tmp_path), 'other')
    with pytest.raises(FileNotFoundError, match='download=True'):
        webnlg_split(tmp_path / 'nothing', download=False)


@pytest.mark.parametrize(
    ('name', 'category'),
    [
        ('train/1triples/Film.xml', 'Film'),
        ('dev/1triples/Film.xml', 'Film'),
        (f'test/{PARSING}', 'Filn'),
    ],
)
def test_unknown_category(tmp_path: Path, name: str, category: str):
    files = {name: [(category, 'Id5', AARHUS)]}
    root = write_release(tmp_path, files)
    with pytest.raises(CorruptDatasetError, match=f"'Id5'.*'{category}'") as e:
        webnlg_split(root, log=False)
    assert Path(name).name in str(e.value)
    split = name.split('/')[0]
    with pytest.warns(UserWarning, match="Left out 1 entries.*'Id5'"):
        out = webnlg_split(root, strict=False, log=False)
    assert out.left_out[f'{split}: unknown category'] == 1


def test_malformed_entries_are_counted(tmp_path: Path, capsys):
    name = 'train/1triples/Airport.xml'
    entries = [('Airport', f'Id{i}', ['a | b']) for i in range(7)]
    root = write_release(tmp_path, {name: [*entries, ('Food', 'Id8', AARHUS)]})
    with pytest.raises(CorruptDatasetError, match=r"Airport.xml.*'Id0'"):
        webnlg_split(root, log=False)
    with pytest.warns(UserWarning, match=r"Left out 7.*'Id4'.*; \.\.\.$"):
        out = webnlg_split(root, strict=False)
    assert len(out.train) == 2
    assert '7 (train: malformed entry)' in capsys.readouterr().out


def test_official_release(data_root: Path):
    root = data_root / 'webnlg'
    published = webnlg_split(root, 'published', download=False, log=False)
    clean = webnlg_split(root, 'clean', download=False, log=False)
    for out, size in ((published, 3097), (clean, 1363)):
        count = [len(part) for part in (out.train, out.dev, out.test)]
        assert count == [13211, 1667, size]
        assert sum(out.left_out.values()) == 5713 - size
    assert {entry.category for entry in clean.train} == set(CATEGORIES)
    assert tuple(sorted(CATEGORIES)) == CATEGORIES
    per_file = Counter(entry.file for entry in published.test)
    assert list(per_file.values()) == [966, 966, 1165]
    assert Counter(clean.kind) == {
        'seen': 696,
        'unseen_entities': 545,
        'unseen_category': 122,
    }
    known = {entry.key for entry in clean.train}
    assert not known & {entry.key for entry in clean.test}
    # The official kinds are what they say.
    names = {n for e in clean.train for s, _, o in e.triples for n in (s, o)}
    for entry, kind in zip(clean.test, clean.kind):
        own = {n for s, _, o in entry.triples for n in (s, o)}
        if kind == 'unseen_entities':
            assert not own <= names
    # Of one graph, all entries have one category and one kind.
    labels = {
        (entry.key, entry.category, kind)
        for entry, kind in zip(published.test, published.kind)
    }
    assert len(labels) == 1363
