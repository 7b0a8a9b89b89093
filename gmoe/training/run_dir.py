"""Where a run keeps its logs and checkpoints."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

_VARIABLE = 'GMOE_RUN_VERSION'


@dataclass(frozen=True)
class RunDir:
    """The folder of one run, and the checkpoint that it starts from.

    Args:
        path: The folder.
        ckpt_path: The checkpoint, if any.
    """

    path: Path
    ckpt_path: str | None

    @classmethod
    def choose(
        cls, root: Path, subcommand: str, ckpt_path: str | None
    ) -> RunDir:
        """Picks the folder of a command: a new version for a ``fit`` from
        scratch, the newest one for ``last`` and ``best``, that of the
        checkpoint for a path. Commands other than ``fit`` take ``best`` if no
        checkpoint is given.

        Args:
            root: The folder of all versions.
            subcommand: The command.
            ckpt_path: ``"last"``, ``"best"``, a path, or :obj:`None`.

        Raises:
            FileNotFoundError: If there is no such checkpoint.
        """
        if ckpt_path is None and subcommand == 'fit':
            return cls(_new_version(root), None)
        ckpt_path = ckpt_path or 'best'
        if ckpt_path not in ('last', 'best'):
            file = Path(ckpt_path)
            if not file.is_file():
                raise FileNotFoundError(
                    "'ckpt_path' must be 'last', 'best' or an existing file, "
                    f"got '{ckpt_path}'"
                )
            inside = file.parent.name == 'checkpoints'
            path = file.parent.parent if inside else _new_version(root)
            return cls(path, str(file))
        for path in reversed(_versions(root)):
            file = path / 'checkpoints' / f'{ckpt_path}.ckpt'
            if file.is_file():
                return cls(path, str(file))
        raise FileNotFoundError(
            f"'ckpt_path' is '{ckpt_path}', but no run below '{root}' has "
            f"such a checkpoint: run 'gmoe fit' first, or give the path of a "
            'checkpoint'
        )

    def discard(self) -> None:
        """Removes the folder if it is empty."""
        with suppress(OSError):
            self.path.rmdir()


def _versions(root: Path) -> list[Path]:
    numbered = []
    for path in root.glob('version_*'):
        match = re.fullmatch(r'version_(\d+)', path.name)
        if match and path.is_dir():
            numbered.append((int(match[1]), path))
    return [path for _, path in sorted(numbered)]


def _new_version(root: Path) -> Path:
    # The processes that a distributed run starts inherit the choice.
    is_first = rank_zero_only.rank == 0  # type: ignore[attr-defined]
    if not is_first and _VARIABLE in os.environ:
        return Path(os.environ[_VARIABLE])
    number = 0
    if versions := _versions(root):
        number = int(versions[-1].name.removeprefix('version_')) + 1
    while True:
        path = root / f'version_{number}'
        if not is_first:
            return path  # Only the first process writes.
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            number += 1  # Another run was quicker.
        else:
            os.environ[_VARIABLE] = str(path)
            return path
