"""Folders of pretrained models, looked at before they are read."""

from __future__ import annotations

from pathlib import Path


def folder_fault(name: str) -> str | None:
    """Why a folder is none of a model; :obj:`None` for one that may be, and
    for names on the hub.

    Args:
        name: The name on the hub, or the folder.
    """
    folder = Path(name)
    try:
        folder.exists()
    except OSError as error:  # Such as a name that is too long.
        return error.strerror
    if not folder.is_dir():
        is_path = folder.exists() or name.startswith(('/', '.', '~'))
        return 'there is no such folder' if is_path else None
    files = sorted(path.name for path in folder.iterdir())
    if 'config.json' not in files:
        return 'there is no config.json in it' if files else 'it is empty'
    if any(file.endswith('.safetensors') for file in files):
        return None
    pickles = [
        f for f in files if f.endswith(('.bin', '.pt', '.pth', '.ckpt'))
    ]
    if pickles:
        return (
            f'its weights are in a pickle, {pickles[0]}, which may run code '
            'when it is read'
        )
    return 'it has no weights'


def first_line(error: Exception) -> str:
    """The first line of an error's message.

    Args:
        error: The error.
    """
    lines = str(error).strip().splitlines() or [repr(error)]
    return lines[0][:200]
