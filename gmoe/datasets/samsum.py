"""Dialogues of messengers and their summaries, by people."""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from gmoe.common.arguments import check_choice
from gmoe.common.require import require
from gmoe.common.shown import one_line, shown
from gmoe.datasets.errors import CorruptDatasetError
from gmoe.datasets.limits import MAX_FILE_SIZE, Limits
from gmoe.datasets.table import read_bytes

#: The parts, each a file such as ``train.csv``.
SPLITS = ('train', 'validation', 'test')
#: The columns of a file.
COLUMNS = ('id', 'dialogue', 'summary')
#: The dataset's name on the Hugging Face hub.
HUB = 'knkarthick/samsum'


@dataclass(frozen=True)
class SAMSumEntry:
    """A dialogue and its summary.

    Args:
        id: Its number, unique within all splits.
        dialogue: One turn a line, as ``Amanda: I baked cookies.``
        summary: What it says, in one to three sentences.
    """

    id: str
    dialogue: str
    summary: str


class SAMSum(Sequence[SAMSumEntry]):
    """SAMSum, of `"SAMSum Corpus: A Human-annotated Dialogue Dataset for
    Abstractive Summarization" <https://arxiv.org/abs/1911.12237>`_: 14,731
    dialogues to train on, 818 for validation and 819 to test, under the
    licence CC BY-NC-ND 4.0.

    Entries to train on without a dialogue or without a summary are left out,
    counted and warned of; elsewhere they are an error, since a score is over
    all entries.

    Args:
        root: The folder with ``train.csv``, ``validation.csv`` and
            ``test.csv``, in UTF-8, with the columns ``id``, ``dialogue`` and
            ``summary``; ``~`` is the home.
        split: :obj:`"train"`, :obj:`"validation"` or :obj:`"test"`.
        download: Whether a split whose file is not there is read from the
            Hugging Face hub, through the package ``datasets``.

    Attributes:
        left_out: The numbers of the entries that are left out.

    Raises:
        ValueError: If there is no such split, or the root is no path.
        FileNotFoundError: If its file is not there, nor the hub.
        OSError: If it cannot be read.
        CorruptDatasetError: If it is no such file, or holds no entry.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] = 'data/samsum',
        split: str = 'train',
        download: bool = True,
    ) -> None:
        check_choice('split', split, SPLITS)
        self.split = split
        if not isinstance(root, (str, os.PathLike)):
            raise ValueError(f"'root' must be a folder, got {shown(root)}")
        path = Path(root).expanduser() / f'{split}.csv'
        if path.is_file():
            entries = list(_read(path))
        else:
            entries = _from_hub(path, split, download)
        blank = [entry for entry in entries if _is_blank(entry)]
        if blank and split != 'train':
            raise CorruptDatasetError(
                path,
                'each entry must have a dialogue and a summary, got none of '
                f'one in the entry {shown(blank[0].id)}',
            )
        self.left_out = tuple(entry.id for entry in blank)
        if blank:
            many = 'entry' if len(blank) == 1 else 'entries'
            warnings.warn(
                f"Left out {len(blank)} {many} of '{path}' without a dialogue "
                f'or a summary: {shown(list(self.left_out))}',
                stacklevel=2,
            )
        self._entries = [entry for entry in entries if not _is_blank(entry)]
        if not self._entries:
            raise CorruptDatasetError(
                path, 'it must hold at least one entry, got none'
            )

    @property
    def dialogues(self) -> list[str]:
        """The dialogue of each entry."""
        return [entry.dialogue for entry in self._entries]

    @property
    def summaries(self) -> list[str]:
        """The summary of each entry."""
        return [entry.summary for entry in self._entries]

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> SAMSumEntry: ...
    @overload
    def __getitem__(self, index: slice) -> list[SAMSumEntry]: ...
    def __getitem__(self, index: Any) -> Any:
        return self._entries[index]

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.split!r}, {len(self)})'


def _is_blank(entry: SAMSumEntry) -> bool:
    return not entry.dialogue.strip() or not entry.summary.strip()


def _read(path: Path) -> Iterator[SAMSumEntry]:
    text = _decoded(read_bytes(path, Limits(table=MAX_FILE_SIZE)), path)
    # Line ends within a dialogue stay as they are.
    reader = csv.reader(io.StringIO(text, newline=''), strict=True)
    places: list[int] = []
    line = 1
    try:
        for cells in reader:
            if not places:
                places = _places(cells, path)
            elif cells and len(cells) <= max(places):
                raise CorruptDatasetError(
                    path,
                    f'a row must have the columns {list(COLUMNS)}, got '
                    f'{len(cells)} of them in line {line}',
                )
            elif cells:
                yield SAMSumEntry(*(cells[place] for place in places))
            line = reader.line_num + 1
    except csv.Error as error:
        raise CorruptDatasetError(
            path,
            'it must be CSV with quotes around whole cells, closed, got '
            f'{shown(str(error))} in the row of line {line}',
        ) from error


def _places(header: Sequence[str], path: Path) -> list[int]:
    names = [name.strip() for name in header]
    for name in COLUMNS:
        if names.count(name) != 1:
            raise CorruptDatasetError(
                path,
                f'its first line must name the columns {list(COLUMNS)}, each '
                f'once, got {shown(names, 200)}',
            )
    return [names.index(name) for name in COLUMNS]


def _decoded(content: bytes, path: Path) -> str:
    found = 'zero bytes, as of UTF-16' if b'\0' in content else None
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        line = content.count(b'\n', 0, error.start) + 1
        found = (
            found or f'the byte 0x{content[error.start]:02x} in line {line}'
        )
    if found is not None:
        raise CorruptDatasetError(path, f'it must be in UTF-8, got {found}')
    return text


def _from_hub(path: Path, split: str, download: bool) -> list[SAMSumEntry]:
    wanted = (
        f"'root' must be a folder with {', '.join(f'{s}.csv' for s in SPLITS)}"
        f" of SAMSum, with the columns {list(COLUMNS)}, got '{path.parent}', "
        f'in which there is no {path.name}'
    )
    if not download:
        raise FileNotFoundError(wanted)
    try:
        rows = require('datasets').load_dataset(HUB, split=split)
    except Exception as error:  # Of any of the libraries below it.
        raise FileNotFoundError(
            f'{wanted}; {HUB!r} of the hub cannot be read either: '
            f'{type(error).__name__}: {one_line(error, 200)}'
        ) from error
    return list(_entries(rows, path))


def _entries(rows: Iterable[Any], path: Path) -> Iterator[SAMSumEntry]:
    for row in rows:
        missing = [name for name in COLUMNS if name not in row]
        if missing:
            raise CorruptDatasetError(
                path,
                f'{HUB!r} of the hub must have the columns {list(COLUMNS)}, '
                f'got {shown(list(row), 200)}',
            )
        # What is empty is missing there.
        yield SAMSumEntry(*(str(row[name] or '') for name in COLUMNS))
