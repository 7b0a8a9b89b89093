"""Networks of the Hugging Face hub, as folders."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gmoe.common.files import nearest_name
from gmoe.common.model_folder import (
    CONFIG,
    MOST_CONFIG_BYTES,
    MOST_WEIGHT_BYTES,
    WEIGHTS,
)
from gmoe.common.require import require
from gmoe.common.shown import one_line, shown

_NAME = re.compile(r'[\w.-]+/[\w.-]+')


def folder_of(
    source: str | os.PathLike[str],
    name: str = 'source',
    files: Sequence[str] = (CONFIG, WEIGHTS),
    **hub: Any,
) -> Path:
    """The folder of a saved network: itself, or a copy of one of the hub.

    Nothing but the files that are named is fetched, and no file of more than
    four gigabytes.

    Args:
        source: A folder, ``~`` being the home, or the name of a repository of
            the hub, such as ``user/network``.
        name: What the argument is called that gives it.
        files: The names or patterns of the files that are needed.
        **hub: What ``huggingface_hub.snapshot_download`` takes:
            :obj:`revision`, :obj:`token`, :obj:`cache_dir`,
            :obj:`force_download`, :obj:`local_files_only`.

    Raises:
        ImportError: If it is of the hub, and ``huggingface_hub`` is not
            installed.
        ValueError: If there is neither such a folder nor such a repository.
    """
    path, text = Path(source).expanduser(), os.fspath(source)
    if path.is_dir() and text:
        return path
    if not _NAME.fullmatch(text) or path.exists():
        raise ValueError(
            f"'{name}' must be a folder, or the name of a repository of the "
            f"hub such as 'user/network', got {shown(text)}"
        )
    library = require('huggingface_hub', 'mol')
    try:
        if not _is_reached(library, text, files, hub):
            hub['local_files_only'] = True
        copy = library.snapshot_download(
            text, allow_patterns=list(files), **hub
        )
    except (OSError, ValueError) as error:  # Those of the hub, too.
        raise ValueError(
            f"'{name}' must be a folder, or the name of a repository of the "
            f'hub, got {shown(text)}: there is no such folder'
            f'{nearest_name(path)}, and {_reason(error, hub)}'
        ) from error
    return Path(copy)


def check_repository(repo_id: str) -> None:
    """Refuses what cannot be the name of a repository of the hub.

    Args:
        repo_id: The name, such as ``user/network``.

    Raises:
        ImportError: If ``huggingface_hub`` is not installed.
        ValueError: If it is refused.
    """
    try:
        require('huggingface_hub.utils', 'mol').validate_repo_id(repo_id)
    except ValueError as error:
        raise ValueError(
            "'hub' must be the name of a repository such as 'user/network', "
            f'got {shown(repo_id)}'
        ) from error


def push_folder(
    folder: Path, repo_id: str, private: bool | None = None, **hub: Any
) -> str:
    """Writes the files of a saved network to a repository of the hub, which
    is made where it is missing.

    Args:
        folder: The folder.
        repo_id: The name of the repository, such as ``user/network``.
        private: Whether a new one is for its owner only. (default: as the
            owner's settings on the hub say)
        **hub: What ``huggingface_hub.HfApi`` takes, such as :obj:`token`.

    Returns:
        The address of the commit.

    Raises:
        ImportError: If ``huggingface_hub`` is not installed.
        ValueError: If the hub refuses it.
    """
    library = require('huggingface_hub', 'mol')
    api = library.HfApi(**hub)
    try:
        name = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        return str(
            api.upload_folder(
                repo_id=name,
                folder_path=folder,
                commit_message='Upload of a network by gmoe',
                allow_patterns=['*.json', '*.md', '*.safetensors'],
            )
        )
    except Exception as error:  # Of the library for requests, too.
        raise ValueError(
            "'hub' must be the name of a repository that can be written to, "
            f'got {shown(repo_id)}: {type(error).__name__}: '
            f'{one_line(error, 200)}'
        ) from error


def _reason(error: Exception, hub: dict[str, Any]) -> str:
    """Why the hub has not given a repository."""
    errors = require('huggingface_hub.errors', 'mol')
    revision = shown(hub.get('revision'))
    reasons = {
        errors.GatedRepoError: 'the hub gives it to accepted users only',
        errors.RepositoryNotFoundError: (
            'the hub has no such repository that it shows you'
        ),
        errors.RevisionNotFoundError: f'the hub has no revision {revision}',
        errors.LocalEntryNotFoundError: (
            'the hub could not be asked for one of this name'
        ),
    }
    for kind, reason in reasons.items():
        if isinstance(error, kind):
            return reason
    return f'of the hub, {type(error).__name__}: {one_line(error, 200)}'


def _is_reached(
    library: Any, repo: str, files: Sequence[str], hub: dict[str, Any]
) -> bool:
    # Whether the hub answers. No file that is too large is asked for.
    offline = library.constants.HF_HUB_OFFLINE
    if offline or hub.get('local_files_only'):
        return False
    try:
        info = library.HfApi(token=hub.get('token')).model_info(
            repo, revision=hub.get('revision'), files_metadata=True
        )
    except (OSError, ValueError):
        raise
    except Exception:  # Of the library for requests that it happens to use.
        return False
    wanted = library.utils.filter_repo_objects(
        info.siblings, allow_patterns=list(files), key=lambda s: s.rfilename
    )
    for file in wanted:
        is_text = file.rfilename.endswith('.json')
        most = MOST_CONFIG_BYTES if is_text else MOST_WEIGHT_BYTES
        if (file.size or 0) > most:
            raise ValueError(f'{file.rfilename} has {file.size} bytes')
    return True
