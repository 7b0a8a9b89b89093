"""Downloads a file, safe among many processes, and goes on where an earlier
download stopped."""

import contextlib
import hashlib
import os
import urllib.request
import zipfile
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError

from gmoe.common.files import (
    lock,
    make_dirs,
    remove_empty,
    remove_stale,
    temporary_folder,
)

TIMEOUT = 60.0  # Seconds without any data.

_FAILURES = (
    zipfile.BadZipFile,
    HTTPException,
    OSError,
    RuntimeError,
    ValueError,
)


@contextlib.contextmanager
def downloaded(
    url: str,
    target: Path,
    what: str,
    instead: str,
    max_size: int,
    log: bool = True,
) -> Iterator[Path]:
    """Downloads an archive, and yields where it is, for the caller to check
    it and to move it, or what it holds, into place.

    The file is this process's own until the end, when it is removed, unless
    it has been moved. If the download breaks off, the part that has arrived
    is kept, and the next process goes on from there.

    Args:
        url: Where to get it from.
        target: The path that it is for. Its folder is made if need be.
        what: The name of the archive in error messages.
        instead: What a user should do with an archive from elsewhere.
        max_size: How many bytes it may have.
        log: Whether to print that a download goes on.

    Raises:
        RuntimeError: If it cannot be fetched or written, is too large, or
            the caller finds that it does not hold what it must.
    """
    created: list[Path] = []
    try:
        created = make_dirs(target.parent)
        remove_stale(target.parent)
        if log:
            print(f'Downloading {url}')
        with _fetched(url, target, max_size) as path:
            yield path
    except BaseException as e:
        remove_empty(created)
        if not isinstance(e, _FAILURES):
            raise
        raise RuntimeError(
            f"Could not get {what} from '{url}' ({e}). Get this archive by "
            f'other means and {instead}'
        ) from e


@contextlib.contextmanager
def _fetched(url: str, target: Path, max_size: int) -> Iterator[Path]:
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    part = target.with_name(f'.{target.name}-{digest}.part')
    with contextlib.ExitStack() as stack:
        file = _held(part)
        if file is None:  # Another process is at it: everyone its own.
            part = stack.enter_context(temporary_folder(target)) / target.name
            file = part.open('w+b')
        stack.enter_context(file)
        try:
            _receive(url, file, max_size)
        except (OSError, HTTPException, KeyboardInterrupt):
            if not part.stat().st_size:
                part.unlink()
            raise
        except BaseException:
            part.unlink()
            raise
        try:
            yield part
        finally:
            part.unlink(missing_ok=True)


def _held(part: Path) -> BinaryIO | None:
    """Opens a partial download for this process alone, if that can be."""
    for _ in range(3):  # It may be removed just before it is locked.
        file = part.open('a+b')
        if lock(file.fileno(), part):
            return file
        file.close()
    return None


def _receive(url: str, file: BinaryIO, max_size: int) -> None:
    size = file.seek(0, os.SEEK_END)
    request = urllib.request.Request(url)
    if size:
        request.add_header('Range', f'bytes={size}-')
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except HTTPError as e:
        if e.code != 416:  # There is nothing left to fetch.
            raise
        return
    with response:
        if getattr(response, 'status', None) != 206:
            size = file.seek(0)
            file.truncate()
        elif not response.headers.get(
            'Content-Range', f'bytes {size}-'
        ).startswith(f'bytes {size}-'):
            raise RuntimeError('the server went on at another place')
        length = response.headers.get('Content-Length')
        expected = None if length is None else size + int(length)
        if expected is not None and expected > max_size:
            size = expected
        while size <= max_size and (chunk := response.read(2**20)):
            size += len(chunk)
            file.write(chunk)
    if size > max_size:
        raise RuntimeError(f'it must be of at most {max_size} bytes, got more')
    file.flush()
    if expected is not None and size < expected:
        raise OSError(f'the connection ended after {size} of {expected} bytes')
