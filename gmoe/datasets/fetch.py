"""Fetches a file, safe among many processes, and goes on where it stopped."""

import contextlib
import hashlib
import os
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError

from gmoe.datasets.files import lock, temporary_folder

TIMEOUT = 60.0  # Seconds without any data.


@contextlib.contextmanager
def fetched(
    url: str, target: Path, max_size: int, log: bool = True
) -> Iterator[Path]:
    """Fetches a file that is to become `target`, and yields where it is.

    The file is this process's own until the end, when it is removed, unless
    it has been moved. What has come of a download that breaks off is kept,
    for the next one to go on with, if no other process does so.

    Args:
        url (str): Where to get it from.
        target (pathlib.Path): What it is to become; in a folder that is
            there.
        max_size (int): How many bytes it may have.
        log (bool, optional): Whether to print that a download goes on.
            (default: :obj:`True`)

    Raises:
        OSError: If it cannot be fetched or written.
        http.client.HTTPException: If the server's answer makes no sense.
        ValueError: If the address makes no sense.
        RuntimeError: If it is too large.
    """
    if log:
        print(f'Downloading {url}')
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
        raise RuntimeError(f'it needs to be of at most {max_size} bytes')
    file.flush()
    if expected is not None and size < expected:
        raise OSError(f'the connection ended after {size} of {expected} bytes')
