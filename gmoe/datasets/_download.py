"""Fetches a molecule dataset of OGB, without questions."""

import os
import shutil
import socket
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path, PurePosixPath

from torch_geometric.data import download_url

from gmoe.datasets._cache import make_dirs, remove_empty
from gmoe.datasets._raw import parse_raw, read_raw_bytes, read_split
from gmoe.datasets.ogb_info import OGBMolInfo

TIMEOUT = 60.0  # Seconds without any data.


def download_ogb_mol(
    info: OGBMolInfo,
    folder: Path,
    url: str | None = None,
    log: bool = True,
) -> None:
    """Downloads a dataset into a folder that does not exist yet.

    Everything happens in a temporary folder beside it. Only a dataset that
    was checked is moved into place, in one step.

    Args:
        info (OGBMolInfo): The dataset.
        folder (pathlib.Path): The folder of the dataset.
        url (str, optional): Where to get its archive from, instead of from
            where OGB keeps it. (default: :obj:`None`)
        log (bool, optional): Whether to print that a download goes on.
            (default: :obj:`True`)

    Raises:
        RuntimeError: If the archive cannot be fetched, or is not one of a
            valid dataset.
    """
    url = url or info.url
    try:
        created = make_dirs(folder.parent)
    except OSError as e:
        raise _error(info, url, folder, e) from e
    try:
        with tempfile.TemporaryDirectory(
            prefix=f'.{folder.name}-', dir=folder.parent
        ) as tmp:
            path = _fetch(info, url, folder, Path(tmp), log)
            try:
                extract_zip(path, Path(tmp) / 'out')
                source = Path(tmp) / 'out' / info.download_name
                raw = read_raw_bytes(source / 'raw')
                y = parse_raw(raw, source / 'raw', info)['y']
                read_split(source / 'split' / info.split, y.size(0))
            except (
                zipfile.BadZipFile,
                zlib.error,
                EOFError,
                OSError,
                RuntimeError,
                ValueError,
            ) as e:
                raise _error(info, url, folder, e) from e
            _move(source, folder)
    except OSError as e:
        remove_empty(created)
        raise _error(info, url, folder, e) from e
    except BaseException:
        remove_empty(created)
        raise


def extract_zip(path: Path, folder: Path) -> None:
    """Extracts an archive, but nothing outside of the folder, and no links.

    Args:
        path (pathlib.Path): The archive.
        folder (pathlib.Path): Where to extract it to.

    Raises:
        RuntimeError: If a member is not a plain file or folder, or its name
            leads elsewhere.
        zipfile.BadZipFile: If the archive is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = PurePosixPath(member.filename)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if (
                name.is_absolute()
                or '..' in name.parts
                or '\\' in member.filename
                or ':' in member.filename
            ):
                raise RuntimeError(
                    f'the archive needs to hold names below '
                    f'its own folder only (got '
                    f'{member.filename!r})'
                )
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise RuntimeError(
                    f'the archive needs to hold plain files '
                    f'and folders only (got the link or '
                    f'special file {member.filename!r})'
                )
        archive.extractall(folder)


def _fetch(
    info: OGBMolInfo,
    url: str,
    folder: Path,
    tmp: Path,
    log: bool,
) -> Path:
    try:
        with _timeout(TIMEOUT):
            return Path(download_url(url, str(tmp), log, 'archive.zip'))
    except (OSError, HTTPException, ValueError) as e:
        raise _error(info, url, folder, e) from e


def _move(source: Path, folder: Path) -> None:
    try:
        os.rename(source, folder)
    except OSError:
        # Another process was faster. Its dataset was checked as well.
        if not (folder / 'raw').is_dir():
            raise
        shutil.rmtree(source)


@contextmanager
def _timeout(seconds: float) -> Iterator[None]:
    # PyG's download has no such argument and would wait for ever.
    default = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(default)


def _error(
    info: OGBMolInfo,
    url: str,
    folder: Path,
    cause: Exception,
) -> RuntimeError:
    return RuntimeError(
        f"Could not get '{info.name}' from '{url}' ({cause})."
        f' Get this archive by other means and extract its '
        f"folder '{info.download_name}' as '{folder}'"
    )
