"""Finds, fetches and reads the official release of WebNLG."""

import hashlib
import json
import os
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from gmoe.common.shown import shown
from gmoe.datasets.archive import check_member, open_zip
from gmoe.datasets.download import downloaded
from gmoe.datasets.errors import CorruptDatasetError
from gmoe.datasets.limits import MAX_FILE_SIZE
from gmoe.datasets.webnlg.xml import WebNLGEntry, parse_file

COMMIT = '587fa698bec705efbefe72a235a6019c2b9b8b6c'
ARCHIVE = f'webnlg-dataset-{COMMIT}.zip'
URL = (
    f'https://gitlab.com/shimorina/webnlg-dataset/-/archive/{COMMIT}/{ARCHIVE}'
)
#: A hash of the names and the content of the files that are read.
CHECKSUM = 'cd55ba6d4cd12d7dbe9a4b0c292239a29f1c0054fb5377f23e30762f17044283'
MAX_ARCHIVE_SIZE = 2**30
MAX_TOTAL_SIZE = 2**29

SPLITS = ('train', 'dev', 'test')
#: The official name of each type of test entry. Entries of type 3 are
#: officially of a category that is not in training; a few of them have a
#: category that is, all the same.
INSTANCE_TYPES = {
    'type1': 'seen',
    'type2': 'unseen_entities',
    'type3': 'unseen_category',
}
_NAME = re.compile(
    r'(?:(?:train|dev)/[1-9]\d*triples/[^/]+\.xml|test/[^/]+\.xml|'
    r'test/[^/]+-instance-types\.json)'
)
_IN_ARCHIVE = re.compile(r'(?:.*/)?release_v3\.0/en/(.+)')


@dataclass
class Release:
    """The entries of a release, in the order of its files.

    Args:
        entries: The entries of ``train``, ``dev`` and ``test``.
        instance_type: The kind of a test entry by file and entry id, as far as
            the release has it.
        left_out: How many malformed entries were left out.
    """

    entries: dict[str, list[WebNLGEntry]]
    instance_type: dict[tuple[str, str], str]
    left_out: Counter[str] = field(default_factory=Counter)


def find_release(root: Path) -> Path | None:
    """Returns the folder or the archive of the release, if there is one."""
    if root.is_file():
        return root
    for inner in ('.', 'en', 'release_v3.0/en', '*/release_v3.0/en'):
        for path in (
            sorted(root.glob(inner)) if '*' in inner else [root / inner]
        ):
            if (path / 'train').is_dir():
                return path
    return next(iter(sorted(root.glob('webnlg-dataset*.zip'))), None)


def read_release(
    path: Path,
    on_error: Callable[[CorruptDatasetError], None] | None = None,
) -> Release:
    """Reads and checks a release.

    Args:
        path: Its folder, with `train`, `dev` and `test`, or an archive with
            the folder `release_v3.0/en`.
        on_error: Called with the error of an entry that is left out then;
            raised if not given.

    Raises:
        FileNotFoundError: If a split is without files.
        CorruptDatasetError: If a file does not hold what it should.
    """
    files = _read_zip(path) if path.is_file() else _read_folder(path)
    release = Release({}, {})
    for split in SPLITS:
        names = [
            name
            for name in sorted(files)
            if name.startswith(f'{split}/') and name.endswith('.xml')
        ]
        if not names:
            raise FileNotFoundError(
                f"'{path}' must hold the XML files of the split "
                f"'{split}', got none"
            )

        def leave_out(error: CorruptDatasetError, split: str = split) -> None:
            if on_error is None:
                raise error
            release.left_out[f'{split}: malformed entry'] += 1
            on_error(error)

        release.entries[split] = [
            entry
            for name in names
            for entry in parse_file(files[name], path / name, name, leave_out)
        ]
    for name, content in files.items():
        if name.endswith('.json'):
            release.instance_type |= _parse_types(content, path, name, files)
    return release


def files_checksum(files: dict[str, bytes]) -> str:
    """Returns a hash of the names and the content of files."""
    lines = [
        f'{name} {hashlib.sha256(files[name]).hexdigest()}'
        for name in sorted(files)
    ]
    return hashlib.sha256('\n'.join(lines).encode()).hexdigest()


def download_release(
    root: Path,
    url: str | None = None,
    checksum: str | None = CHECKSUM,
    log: bool = True,
) -> Path:
    """Downloads the archive of the release into a folder.

    A download that was interrupted goes on where it stopped, if the server
    can do that.

    Args:
        root: The folder.
        url: Where to get it from, instead of from where its authors keep it.
        checksum: The checksum that its files must have, if any.
        log: Whether to print that a download goes on.

    Raises:
        RuntimeError: If it cannot be fetched, or is not the release.
    """
    path = root / ARCHIVE
    instead = f"put it or its folder 'release_v3.0' into '{root}'"
    with downloaded(
        url or URL, path, 'WebNLG', instead, MAX_ARCHIVE_SIZE, log
    ) as archive:
        got = files_checksum(_read_zip(archive))
        if checksum is not None and got != checksum:
            raise RuntimeError(
                f'its files must have the checksum {checksum}, got {got}'
            )
        os.replace(archive, path)
    return path


def _read_folder(path: Path) -> dict[str, bytes]:
    out = {}
    for file in sorted([*path.glob('*/*'), *path.glob('*/*/*')]):
        name = file.relative_to(path).as_posix()
        if _NAME.fullmatch(name) and file.is_file():
            _check_size(file, file.stat().st_size)
            out[name] = file.read_bytes()
    return out


def _read_zip(path: Path) -> dict[str, bytes]:
    """Reads the files of the release, and writes nothing anywhere."""
    corrupt = partial(CorruptDatasetError, path)
    out: dict[str, bytes] = {}
    try:
        with open_zip(path) as archive:
            for member in archive.infolist():
                match = _IN_ARCHIVE.fullmatch(member.filename)
                if match is None or not _NAME.fullmatch(match[1]):
                    continue
                check_member(member)
                if match[1] in out:
                    raise corrupt(
                        f'it must hold each file of the release once, '
                        f'got {match[1]!r} again'
                    )
                with archive.open(member) as f:
                    # The size that a member states may be wrong.
                    content = f.read(MAX_FILE_SIZE + 1)
                _check_size(path / member.filename, len(content))
                out[match[1]] = content
                if sum(map(len, out.values())) > MAX_TOTAL_SIZE:
                    raise corrupt(
                        f'its files must be of at most {MAX_TOTAL_SIZE} '
                        f'bytes together, got more at {match[1]!r}'
                    )
    except (zipfile.BadZipFile, RuntimeError) as e:
        raise corrupt(
            f'it must be a complete archive, got {shown(str(e), 200)}'
        ) from e
    if not out:
        raise corrupt("it must hold the folder 'release_v3.0/en', got none")
    return out


def _check_size(path: Path, size: int) -> None:
    if size > MAX_FILE_SIZE:
        raise CorruptDatasetError(
            path,
            f'it must be of at most {MAX_FILE_SIZE} bytes, got {size} or more',
        )


def _parse_types(
    content: bytes,
    path: Path,
    name: str,
    files: dict[str, bytes],
) -> dict[tuple[str, str], str]:
    """Returns the kinds of the entries of a task's files."""
    task = name.removesuffix('-test-instance-types.json')
    try:
        types = json.loads(content)
        kinds = {eid: INSTANCE_TYPES[key] for eid, key in types.items()}
    except (
        ValueError,
        AttributeError,
        KeyError,
        TypeError,
        RecursionError,
    ) as e:
        raise CorruptDatasetError(
            path / name,
            f'it must hold one of {list(INSTANCE_TYPES)} for each entry '
            f'id, got {shown(e)}',
        ) from e
    return {
        (file, eid): kind
        for file in files
        if file.startswith(f'{task}-test-data') and file.endswith('.xml')
        for eid, kind in kinds.items()
    }
