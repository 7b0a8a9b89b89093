"""Fetches a molecule dataset of OGB, without questions."""

import os
import shutil
import zipfile
from http.client import HTTPException
from pathlib import Path

from gmoe.datasets.archive import extract_zip
from gmoe.datasets.fetch import fetched
from gmoe.datasets.files import (
    make_dirs,
    remove_empty,
    remove_stale,
    temporary_folder,
)
from gmoe.datasets.limits import LIMITS, Limits
from gmoe.datasets.ogb.info import OGBMolInfo
from gmoe.datasets.ogb.raw import parse_raw, read_raw_bytes, read_split


def download_ogb_mol(
    info: OGBMolInfo,
    folder: Path,
    url: str | None = None,
    log: bool = True,
    limits: Limits = LIMITS,
) -> None:
    """Downloads a dataset into a folder that does not exist yet.

    Everything happens in files and folders of this process's own beside it.
    Only a dataset that was checked is moved into place, in one step.

    Args:
        info (OGBMolInfo): The dataset.
        folder (pathlib.Path): The folder of the dataset.
        url (str, optional): Where to get its archive from, instead of from
            where OGB keeps it. (default: :obj:`None`)
        log (bool, optional): Whether to print that a download goes on.
            (default: :obj:`True`)
        limits (Limits, optional): How much the archive and its files may
            hold.

    Raises:
        RuntimeError: If the archive cannot be fetched, or is not one of a
            valid dataset.
    """
    url = url or info.url
    created: list[Path] = []
    try:
        created = make_dirs(folder.parent)
        remove_stale(folder.parent)
        with (
            fetched(url, folder, limits.download, log) as archive,
            temporary_folder(folder) as tmp,
        ):
            extract_zip(archive, tmp, limits)
            source = tmp / info.download_name
            raw = read_raw_bytes(source / 'raw', limits)
            y = parse_raw(raw, source / 'raw', info, limits)['y']
            read_split(source / 'split' / info.split, y.size(0), limits)
            _move(source, folder)
    except (
        zipfile.BadZipFile,
        HTTPException,
        OSError,
        RuntimeError,
        ValueError,
    ) as e:
        remove_empty(created)
        raise RuntimeError(
            f"Could not get '{info.name}' from '{url}' ({e}). Get this "
            f'archive by other means and extract its folder '
            f"'{info.download_name}' as '{folder}'"
        ) from e
    except BaseException:
        remove_empty(created)
        raise


def _move(source: Path, folder: Path) -> None:
    try:
        os.rename(source, folder)
    except OSError:
        # Another process was faster. Its dataset was checked as well.
        if not (folder / 'raw').is_dir():
            raise
        shutil.rmtree(source)
