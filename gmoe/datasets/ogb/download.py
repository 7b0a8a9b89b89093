"""Downloads a molecule dataset of OGB without asking questions."""

import os
from pathlib import Path

from gmoe.common.files import temporary_folder
from gmoe.datasets.archive import extract_zip
from gmoe.datasets.download import downloaded
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
        info: The dataset.
        folder: The folder of the dataset.
        url: Where to get its archive from. (default: where OGB keeps it)
        log: Whether to print that a download goes on.
        limits: How much the archive and its files may hold.

    Raises:
        RuntimeError: If the archive cannot be fetched, or is not one of a
            valid dataset.
    """
    instead = f"extract its folder '{info.download_name}' as '{folder}'"
    with (
        downloaded(
            url or info.url,
            folder,
            f"'{info.name}'",
            instead,
            limits.download,
            log,
        ) as archive,
        temporary_folder(folder) as tmp,
    ):
        extract_zip(archive, tmp, limits)
        source = tmp / info.download_name
        raw = read_raw_bytes(source / 'raw', limits)
        y = parse_raw(raw, source / 'raw', info, limits)['y']
        read_split(source / 'split' / info.split, y.size(0), limits)
        # Before the move, after which no process would look for it again.
        archive.unlink()
        try:
            os.rename(source, folder)
        except OSError:
            # Another process was faster. Its dataset was checked as well.
            if not (folder / 'raw').is_dir():
                raise
