"""The folder in which a run keeps its logs and checkpoints."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

_VARIABLE = 'GMOE_RUN_VERSION'


@dataclass(frozen=True)
class RunDir:
    """The folder of one run, and the checkpoint that it starts from.

    Args:
        path: The folder.
        ckpt_path: The checkpoint, if any.
        made: The folders that did not exist before, from the outermost to
            the run's own.
    """

    path: Path
    ckpt_path: str | None
    made: tuple[Path, ...] = field(default=(), compare=False)

    @classmethod
    def choose(
        cls, root: Path, subcommand: str, ckpt_path: str | None
    ) -> RunDir:
        """Picks the folder of a command: a new version for a ``fit`` from
        scratch, the newest one for ``last`` and ``best``, that of the
        checkpoint for a path. Commands other than ``fit`` take ``best`` if no
        checkpoint is given.

        Args:
            root: The folder of all versions, or the one of a run that a
                command starts from.
            subcommand: The command.
            ckpt_path: ``"last"``, ``"best"``, a path, or :obj:`None`.

        Raises:
            FileNotFoundError: If there is no such checkpoint.
            OSError: If the folder cannot be made.
        """
        if ckpt_path is None and subcommand == 'fit':
            return cls._new(root, None)
        ckpt_path = 'best' if ckpt_path is None else ckpt_path
        if ckpt_path not in ('last', 'best'):
            file = Path(ckpt_path)
            if not file.is_file():
                raise FileNotFoundError(
                    "'ckpt_path' must be 'last', 'best' or an existing file, "
                    f"got '{ckpt_path}'"
                )
            if file.parent.name == 'checkpoints':
                return cls(file.parent.parent, str(file))
            return cls._new(root, str(file))
        for path in (root, *reversed(versions(root))):
            file = path / 'checkpoints' / f'{ckpt_path}.ckpt'
            if file.is_file():
                return cls(path, str(file))
        raise FileNotFoundError(
            f"'ckpt_path' must be the path of a checkpoint, or one that a run "
            f"below '{root}' has, got '{ckpt_path}': run 'gmoe fit' first"
        )

    @classmethod
    def _new(cls, root: Path, ckpt_path: str | None) -> RunDir:
        try:
            above = [
                path for path in (root, *root.parents) if not path.exists()
            ]
            path, is_new = _new_version(root)
        except (OSError, ValueError) as error:
            reason = getattr(error, 'strerror', None) or error
            raise type(error)(
                "'run_dir' must be a folder that can be written, got "
                f"'{root}': {reason}"
            ) from error
        return cls(path, ckpt_path, (*above[::-1], path) if is_new else ())

    def discard(self, is_refused: bool = False) -> None:
        """Removes the folders that were made for the run and are empty.

        Args:
            is_refused: Whether the run ended before its training, so that
                what is in its own folder is of no use.
        """
        if is_refused and self.made:
            shutil.rmtree(self.path, ignore_errors=True)
        for path in reversed(self.made):
            with suppress(OSError):
                path.rmdir()


def versions(root: Path) -> list[Path]:
    """The folders of the runs in a folder, from the first to the newest.

    Args:
        root: The folder of all versions.
    """
    numbered = []
    for path in root.glob('version_*'):
        match = re.fullmatch(r'version_(\d+)', path.name)
        if match and path.is_dir():
            numbered.append((int(match[1]), path))
    return [path for _, path in sorted(numbered)]


def _new_version(root: Path) -> tuple[Path, bool]:
    # The processes that a distributed run starts inherit the choice.
    is_first = rank_zero_only.rank == 0  # type: ignore[attr-defined]
    if not is_first and _VARIABLE in os.environ:
        return Path(os.environ[_VARIABLE]), False
    number = 0
    if before := versions(root):
        number = int(before[-1].name.removeprefix('version_')) + 1
    while True:
        path = root / f'version_{number}'
        if not is_first:
            return path, False  # Only the first process writes.
        root.mkdir(parents=True, exist_ok=True)
        try:
            path.mkdir()
        except FileExistsError:
            number += 1  # Another run was quicker.
        except FileNotFoundError:
            continue  # Another run was refused, and has taken the root along.
        else:
            os.environ[_VARIABLE] = str(path)
            return path, True
