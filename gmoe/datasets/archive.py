"""Reads untrusted ZIP archives."""

import errno
import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from gmoe.common.shown import shown
from gmoe.datasets.limits import LIMITS, Limits

#: Bytes of an archive's list of members; all of it is read at once.
MAX_DIRECTORY = 16 * 2**20

# Names that Windows gives to devices, whatever follows a dot.
_DEVICE = re.compile(r'(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?')


class _BoundedFile(io.FileIO):
    def __init__(self, path: Path, limit: int) -> None:
        super().__init__(path)
        self.limit = limit

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= self.limit:
            size = self.limit + 1
        content = super().read(size) or b''
        if len(content) > self.limit:
            raise zipfile.BadZipFile(
                f'its list of members must be of at most {self.limit} bytes'
            )
        return content


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Opens an archive to read.

    Args:
        path: The archive.

    Raises:
        zipfile.BadZipFile: If it is damaged.
        OSError: If it cannot be read.
    """
    try:
        with (
            _BoundedFile(path, MAX_DIRECTORY) as file,
            zipfile.ZipFile(file) as archive,
        ):
            yield archive
    except (EOFError, UnicodeError, struct.error, zlib.error) as e:
        raise zipfile.BadZipFile(str(e)) from e
    except OSError as e:
        if e.errno != errno.EINVAL:  # A place that no file has.
            raise
        raise zipfile.BadZipFile(str(e)) from e


def check_member(member: zipfile.ZipInfo) -> None:
    """Checks that a member is a plain file or folder below the archive's own.

    Args:
        member: The member.

    Raises:
        RuntimeError: If it is something else, or its name leads elsewhere.
    """
    name = PurePosixPath(member.filename)
    if (
        name.is_absolute()
        or not name.parts
        or '..' in name.parts
        or '\\' in member.filename
        or ':' in member.filename
        or any(_DEVICE.fullmatch(part) for part in name.parts)
    ):
        raise RuntimeError(
            f'the archive must hold names below its own folder only, got '
            f'{shown(member.filename)}'
        )
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise RuntimeError(
            f'the archive must hold plain files and folders only, got '
            f'the link or special file {shown(member.filename)}'
        )
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise RuntimeError(
            f'the archive must hold stored or deflated members only, got '
            f'{shown(member.filename)} by method {member.compress_type}'
        )


def extract_zip(path: Path, folder: Path, limits: Limits = LIMITS) -> None:
    """Extracts an archive, but nothing outside of the folder, no links, and
    no more than the limits.

    Args:
        path: The archive.
        folder: Where to extract it to.
        limits: How much it may hold.

    Raises:
        RuntimeError: If a member is not a plain file or folder, its name
            leads elsewhere or is there already, or it holds too much.
        zipfile.BadZipFile: If the archive is damaged.
    """
    most = limits.content(path.stat().st_size, limits.unzipped)
    with open_zip(path) as archive:
        members = archive.infolist()
        if len(members) > limits.members:
            raise RuntimeError(
                f'the archive must hold at most {limits.members} members, '
                f'got {len(members)}'
            )
        names: set[str] = set()
        for member in members:
            check_member(member)
            # Some file systems do not tell cases apart.
            name = member.filename.rstrip('/').casefold()
            if name in names:
                raise RuntimeError(
                    f'the archive must hold each name once, got '
                    f'{shown(member.filename)} again'
                )
            names.add(name)
        total = 0
        for member in members:
            target = folder.joinpath(*PurePosixPath(member.filename).parts)
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, target.open('xb') as f:
                # The size that a member states may be wrong.
                while chunk := source.read(2**20):
                    total += len(chunk)
                    if total > most:
                        raise RuntimeError(
                            f'the archive must hold at most {most} bytes, '
                            'got more'
                        )
                    f.write(chunk)
