"""Folders, and temporary files that no killed process leaves for ever.

A process that is killed leaves its temporary file behind. The next one
removes it, but must never remove a file that another process still writes,
here or on another machine that shares the folder. Each writer therefore locks
its file, and the system gives the lock back however the process ends.
"""

import contextlib
import difflib
import errno
import functools
import hashlib
import os
import re
import shutil
import socket
import stat
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gmoe.common.shown import shown

try:
    import fcntl
except ImportError:  # Not on Windows: only what is old is removed there.
    fcntl = None  # type: ignore[assignment]

#: Seconds after which a file counts as left behind even where it cannot be
#: known, since locks of other machines may not be seen here.
STALE_AGE = 86_400

_OURS = re.compile(r'\..+-([0-9a-f]{8})-[0-9a-f]{32}\.tmp')
# Downloads to go on with, and temporary files of earlier versions.
_OTHERS = re.compile(
    r'\..+-[0-9a-f]{8}\.part|\..+-[0-9a-f]{32}\.tmp|\.ogbg_mol\w+-[a-z0-9_]{8}'
)


def make_dirs(folder: Path) -> list[Path]:
    """Makes a folder and its parents; returns those made, deepest first."""
    missing = []
    for parent in [folder, *folder.parents]:
        if parent.exists():
            break
        missing.append(parent)
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def remove_empty(folders: list[Path]) -> None:
    """Removes folders as long as they are empty."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def nearest_name(path: Path) -> str:
    """Says which name in the folder of a missing path is like it, as a part
    of a message: nothing if there is none.

    Args:
        path: The path.
    """
    try:
        names = os.listdir(path.parent)
    except (OSError, ValueError):
        return ''
    # Itself is there where it is a pipe or a device.
    names = [name for name in names if name != path.name]
    near = difflib.get_close_matches(path.name, names, 1, 0.7)
    return f' (there is {shown(str(path.parent / near[0]))})' if near else ''


def is_writable(*folders: Path) -> bool:
    """Returns whether those of the folders that exist can be written.

    A folder whose mode has no write bit for anyone counts as one that cannot,
    whoever asks: its owner meant it to stay as it is, and an administrator
    could write anyhow.
    """
    write = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
    return all(
        folder.stat().st_mode & write and os.access(folder, os.W_OK)
        for folder in folders
        if folder.exists()
    )


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a file that takes the place of another one in a single step once
    it is complete, so that whoever reads it finds all of the old or all of
    the new content.

    It is written beside the other one under a name of its own: where several
    processes replace a file at once, the last one wins.

    Args:
        path: The file to replace, in a folder that exists.

    Raises:
        OSError: If it cannot be written. Nothing is left behind then.
    """
    while True:
        partial = _unused_name(path)
        with _beside(path):
            opened = partial.open('xb')
        with opened as file:
            if lock(file.fileno(), partial) is False:
                continue
            try:
                yield file
                file.flush()
                if fcntl is None:
                    file.close()
                os.replace(partial, path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
            return


def replace_text(path: Path, text: str) -> None:
    """Writes a text in UTF-8, whole or not at all.

    Args:
        path: The file. Its folder is made if need be.
        text: The text.

    Raises:
        OSError: If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(path.parent)
    with replacing(path) as file:
        file.write(text.encode())


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[None]:
    # Such as in /proc, where the folder is there and takes nothing.
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(
            errno.ENOENT, 'nothing can be made in its folder', str(target)
        ) from error


@contextlib.contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """Makes a folder beside `target` and removes it in the end."""
    while True:
        path = _unused_name(target)
        with _beside(target):
            path.mkdir()
        with _opened(path) as number:
            if lock(number, path) is False:
                continue
            try:
                yield path
            finally:
                shutil.rmtree(path, ignore_errors=True)
            return


def lock(number: int | None, path: Path) -> bool | None:
    """Locks an open file or folder for as long as it is open.

    Args:
        number: Its descriptor; without one, there are no locks.
        path: Its path.

    Returns:
        Whether it is locked now, and still at its path; :obj:`None` where
        there are no locks.
    """
    if fcntl is None or number is None:
        return None
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # Some shared file systems have none.
        return None
    try:
        return os.path.samestat(os.fstat(number), os.lstat(path))
    except FileNotFoundError:
        return False


def remove_stale(folder: Path) -> None:
    """Removes temporary files and folders that killed processes have left.

    Those of this machine are removed once their process is gone, and those
    that may be of another machine after a day without a change.

    Args:
        folder: Where they are. Left alone if it cannot be written.
    """
    with contextlib.suppress(OSError):
        if not is_writable(folder):
            return
        for name in os.listdir(folder):
            ours = _OURS.fullmatch(name)
            if ours or _OTHERS.fullmatch(name):
                is_here = ours is not None and ours[1] == _machine()
                with contextlib.suppress(OSError):
                    _remove_if_stale(folder / name, is_here)


def _remove_if_stale(path: Path, is_here: bool) -> None:
    with _opened(path) as number:
        locked = lock(number, path)
        if locked is False:
            return
        if not (locked and is_here) and _age(path) < STALE_AGE:
            return
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _age(path: Path) -> float:
    """Returns the seconds since the last change of a file or in a folder."""
    paths = [path, *path.rglob('*')] if path.is_dir() else [path]
    return time.time() - max(p.lstat().st_mtime for p in paths)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    if fcntl is None:
        yield None
        return
    # Links are never opened, and pipes are not waited for.
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        yield number
    finally:
        os.close(number)


def _unused_name(target: Path) -> Path:
    name = f'.{target.name}-{_machine()}-{uuid.uuid4().hex}.tmp'
    return target.parent / name


@functools.cache
def _machine() -> str:
    """Returns a word that tells this running system from others."""
    try:
        name = Path('/proc/sys/kernel/random/boot_id').read_text()
    except OSError:
        name = socket.gethostname()
    return hashlib.sha256(name.encode()).hexdigest()[:8]
