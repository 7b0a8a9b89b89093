"""The entries of WebNLG to train, to choose and to test models on."""

import os
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gmoe.common.arguments import check_choice
from gmoe.common.shown import shown
from gmoe.datasets.errors import CorruptDatasetError
from gmoe.datasets.webnlg.release import (
    CHECKSUM,
    SPLITS,
    Release,
    download_release,
    find_release,
    read_release,
)
from gmoe.datasets.webnlg.xml import WebNLGEntry

Protocol = Literal['published', 'clean']
PROTOCOLS: tuple[Protocol, ...] = ('published', 'clean')

#: The classes, in the order of their labels.
CATEGORIES = (
    'Airport',
    'Artist',
    'Astronaut',
    'Athlete',
    'Building',
    'CelestialBody',
    'City',
    'ComicsCharacter',
    'Company',
    'Food',
    'MeanOfTransportation',
    'Monument',
    'Politician',
    'SportsTeam',
    'University',
    'WrittenWork',
)
#: Categories of test entries alone, which no classifier can know.
TEST_CATEGORIES = ('Film', 'MusicalWork', 'Scientist')


@dataclass
class WebNLGSplit:
    """The entries of a protocol.

    Args:
        train: The entries to train on.
        dev: The official development entries.
        test: The entries to test on.
        selection: The part that a model is chosen on, `"dev"` or `"test"`.
        kind: For each test entry, `"seen"`, `"unseen_entities"`,
            `"unseen_category"`, or `""` if the release does not tell.
        left_out: How many entries were left out, by split and reason.
    """

    train: list[WebNLGEntry]
    dev: list[WebNLGEntry]
    test: list[WebNLGEntry]
    selection: str
    kind: list[str]
    left_out: dict[str, int]


def webnlg_split(
    root: str | os.PathLike[str] = 'data/webnlg',
    protocol: Protocol = 'clean',
    *,
    download: bool = True,
    url: str | None = None,
    verify: bool = True,
    strict: bool = True,
    log: bool = True,
) -> WebNLGSplit:
    """Reads release 3.0 of WebNLG in English under a protocol.

    Both protocols train on the 13,211 training entries, and test on entries
    of one of the 16 categories that these have:

    - :obj:`"published"`: all 3,097 of them, in which most graphs come
      several times, and the model is chosen on them, as published results
      on this data are.
    - :obj:`"clean"`: the 1,363 distinct graphs among them, each at its first
      occurrence. The model is chosen on the 1,667 development entries.

    Args:
        root: The folder with :obj:`release_v3.0/en`, that folder itself, or
            the archive it comes in.
        protocol: The protocol.
        download: If set to :obj:`False`, a release that is not there is an
            error.
        url: Where to download the archive from, instead of from where its
            authors keep it.
        verify: Whether a downloaded archive must hold exactly the files that
            the numbers above are from.
        strict: If set to :obj:`False`, malformed entries and those of an
            unknown category are left out, counted and warned of, instead of
            being an error.
        log: Whether to print how many entries were left out.

    Raises:
        ValueError: If there is no such protocol.
        FileNotFoundError: If files are missing and were not downloaded.
        RuntimeError: If the download fails.
        CorruptDatasetError: If a file does not hold what it should.
    """
    release = load_release(Path(root), download, url, verify, strict, log)
    out = split_release(release, protocol)
    if log:
        print(report(out.left_out))
    return out


def load_release(
    root: Path,
    download: bool = True,
    url: str | None = None,
    verify: bool = True,
    strict: bool = True,
    log: bool = True,
) -> Release:
    """Returns the release below ``root``, downloaded if it is missing."""
    path = find_release(root.expanduser())
    if path is None:
        if not download:
            raise FileNotFoundError(
                f"'root' must hold the folder 'release_v3.0/en' of WebNLG or "
                f"be its archive, got '{root}'. Pass 'download=True' to fetch "
                'it'
            )
        path = download_release(
            root.expanduser(), url, CHECKSUM if verify else None, log
        )
    errors: list[CorruptDatasetError] = []
    release = read_release(path, None if strict else errors.append)
    _check_categories(release, path, None if strict else errors)
    if errors:
        first = '; '.join(str(error) for error in errors[:5])
        warnings.warn(
            f'Left out {len(errors)} entries of WebNLG: {first}'
            f'{"; ..." if len(errors) > 5 else ""}',
            stacklevel=3,
        )
    return release


def split_release(release: Release, protocol: Protocol) -> WebNLGSplit:
    """Returns the entries of a protocol.

    Args:
        release: The release.
        protocol: :obj:`"published"` or :obj:`"clean"`.

    Raises:
        ValueError: If there is no such protocol.
    """
    check_choice('protocol', protocol, PROTOCOLS)
    left_out = Counter(release.left_out)
    test, seen = [], set()
    for entry in release.entries['test']:
        if entry.category not in CATEGORIES:
            left_out[f"test: category '{entry.category}' not in training"] += 1
        elif protocol == 'clean' and entry.key in seen:
            left_out['test: graph that is there already'] += 1
        else:
            seen.add(entry.key)
            test.append(entry)
    return WebNLGSplit(
        train=release.entries['train'],
        dev=release.entries['dev'],
        test=test,
        selection='dev' if protocol == 'clean' else 'test',
        kind=[
            release.instance_type.get((entry.file, entry.eid), '')
            for entry in test
        ],
        left_out=dict(left_out),
    )


def report(left_out: dict[str, int]) -> str:
    """Returns a sentence on the entries that were left out."""
    if not left_out:
        return 'WebNLG: nothing was left out'
    lines = [f'{count} ({what})' for what, count in left_out.items()]
    return f'WebNLG: left out {", ".join(lines)}'


def _check_categories(
    release: Release,
    path: Path,
    errors: list[CorruptDatasetError] | None,
) -> None:
    for split in SPLITS:
        known = CATEGORIES + (TEST_CATEGORIES if split == 'test' else ())
        kept = []
        for entry in release.entries[split]:
            if entry.category in known:
                kept.append(entry)
                continue
            error = CorruptDatasetError(
                path / entry.file,
                f'entry {shown(entry.eid)}: the category must be one of '
                f'{list(known)}, got {shown(entry.category)}',
            )
            if errors is None:
                raise error
            errors.append(error)
            release.left_out[f'{split}: unknown category'] += 1
        release.entries[split] = kept
