"""Where a trained network is, and how it is read."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gmoe.common.files import nearest_name
from gmoe.common.hub import folder_of
from gmoe.common.model_folder import CONFIG, WEIGHTS
from gmoe.common.shown import one_line, shown
from gmoe.datasets.molecules.features import MoleculeFeatures
from gmoe.datasets.molecules.info import MoleculeInfo
from gmoe.datasets.ogb.molecule_info import info_of_ogb
from gmoe.molecules.exported import CALIBRATION, read_exported
from gmoe.molecules.member import Member
from gmoe.ops.two_hop import MODES
from gmoe.training.checkpoint import check_size, read_checkpoint
from gmoe.training.graph_predictor import GraphPredictor
from gmoe.training.kept_molecules import MOLECULES, info_of, is_of_ogb
from gmoe.training.run_dir import versions
from gmoe.training.run_settings import run_settings

_CLASSES = (
    'gmoe.training.GraphPredictor',
    'gmoe.training.graph_predictor.GraphPredictor',
)
_MOST_MEMBERS = 1000
_WANTED = (
    "a run's folder, a checkpoint, an exported folder, a folder of several "
    "such (an ensemble), or a name of the hub such as 'user/model'"
)


def load_members(
    source: str | os.PathLike[str], **hub: Any
) -> tuple[Path, list[Member]]:
    """Reads a trained network or the members of an ensemble, with distrust:
    no code that a file holds is run.

    Args:
        source: What :meth:`~gmoe.molecules.TrainedModel.load` takes.
        **hub: Arguments of :func:`~gmoe.common.hub.folder_of`.

    Returns:
        The path that was found, and the members.

    Raises:
        ImportError: If a package is missing that the files need.
        ValueError: If there is no such network, or it is damaged, of another
            kind, or of another task than other members.
    """
    path = _found(source, hub)
    folders = member_folders(path) or [path]
    members = [_member(folder) for folder in folders]
    _check_features(members[0], folders[0])
    for folder, member in zip(folders, members):
        first = members[0].info
        if member.info != first:
            raise _refused(
                folder,
                f'it predicts {_task(member.info)}, and '
                f"'{folders[0].name}' {_task(first)}",
            )
    return path, members


def member_folders(folder: Path) -> list[Path]:
    """The members of an ensemble, in their order.

    Args:
        folder: The folder of the ensemble, or another one, which has none.

    Raises:
        ValueError: If one of them is missing.
    """
    numbers = sorted(
        int(found[1])
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (found := re.fullmatch(r'member_(\d{1,4})', path.name))
    )
    if numbers != list(range(len(numbers))) or len(numbers) > _MOST_MEMBERS:
        raise _refused(
            folder,
            f'its members must be member_0 to member_{len(numbers) - 1}, one '
            'of them is missing',
        )
    return [folder / f'member_{i}' for i in numbers]


def _found(source: str | os.PathLike[str], hub: dict[str, Any]) -> Path:
    text = os.fspath(source)
    path = Path(text).expanduser()
    if text and path.is_dir():
        return _newest(path)
    if path.is_file():
        return path
    if path.exists() or not re.fullmatch(r'[\w.-]+/[\w.-]+', text):
        raise ValueError(
            f"'model' must be {_WANTED}, got {shown(text)}: there is no such "
            f'file or folder{nearest_name(path)}'
        )
    names = (CONFIG, WEIGHTS, CALIBRATION)
    members = [f'member_*/{name}' for name in names]
    return folder_of(text, name='model', files=(*names, *members), **hub)


def _newest(folder: Path) -> Path:
    """The newest finished version of a folder of runs; others as they are."""
    for path in reversed(versions(folder)):
        if _checkpoint(path) is not None or (path / 'member_0').is_dir():
            return path
    return folder


def _checkpoint(folder: Path) -> Path | None:
    for name in ('best', 'last'):
        path = folder / 'checkpoints' / f'{name}.ckpt'
        if path.is_file():
            return path
    return None


def _member(path: Path) -> Member:
    if path.is_file():
        return _of_checkpoint(path)
    checkpoint = _checkpoint(path)
    if checkpoint is not None:
        return _of_checkpoint(checkpoint)
    if (path / CONFIG).is_file():
        return read_exported(path)
    others = sorted(p.name for p in path.iterdir())[:3]
    raise _refused(
        path,
        f'it has neither checkpoints/best.ckpt nor {CONFIG}, but '
        f'{others or "nothing"}',
    )


def _check_features(member: Member, path: Path) -> None:
    if member.info.features is None:
        return
    try:
        with warnings.catch_warnings():
            # That RDKit has another version is said as it is used.
            warnings.simplefilter('ignore')
            MoleculeFeatures.from_dict(member.info.features)
    except ValueError as error:
        reason = f"of the 'features' of its molecules, {error}"
        raise _refused(path, reason) from error


def _of_checkpoint(path: Path) -> Member:
    checkpoint = read_checkpoint(path)
    arguments = dict(checkpoint['hyper_parameters'])
    arguments.pop('_instantiator', None)
    name = arguments.pop('_class_path', _CLASSES[0])
    if name not in _CLASSES:
        raise _refused(path, f'it is of the class {one_line(name)!r}')
    info, is_ogb = _info(checkpoint, arguments, path)
    check_size(GraphPredictor, arguments, checkpoint, path)
    predictor = GraphPredictor(**arguments)
    predictor.load_state_dict(checkpoint['state_dict'])
    mode, calibration = _two_hop(checkpoint), calibration_of(path)
    try:
        return Member(predictor.eval(), info, mode, calibration, is_ogb)
    except ValueError as error:
        raise _refused(path, str(error)) from error


def calibration_of(checkpoint: Path) -> Path | None:
    """The file for the uncertainty of a checkpoint's predictions, which a run
    has for its best epoch only.

    Args:
        checkpoint: The checkpoint.
    """
    folder = checkpoint.parent
    if folder.name != 'checkpoints' or checkpoint.stem != 'best':
        return None
    path = folder.parent / CALIBRATION
    return path if path.is_file() else None


def _info(
    checkpoint: Mapping[str, Any], arguments: dict[str, Any], path: Path
) -> tuple[MoleculeInfo, bool]:
    known = checkpoint.get(MOLECULES)
    if known is not None:
        try:
            return info_of(known), is_of_ogb(known)
        except ValueError as error:
            raise _refused(path, f'of its molecules, {error}') from error
    name = arguments.get('dataset')
    if not isinstance(name, str) or not name.startswith('ogbg-mol'):
        raise _refused(
            path,
            'it was trained on graphs that are no molecules, '
            f'{one_line(name)!r}',
        )
    kinds = _data_setting(checkpoint, 'features')
    if kinds is None and arguments.get('graph_dims') is not None:
        raise _refused(path, 'it does not say which features it was given')
    features = None if kinds is None else MoleculeFeatures(kinds)
    return info_of_ogb(name, features), True


def _two_hop(checkpoint: Mapping[str, Any]) -> str:
    mode = _data_setting(checkpoint, 'two_hop')
    return mode if mode in MODES else MODES[0]


def _data_setting(checkpoint: Mapping[str, Any], name: str) -> Any:
    data = run_settings(dict(checkpoint)).get('data')
    arguments = data.get('init_args') if isinstance(data, dict) else None
    return arguments.get(name) if isinstance(arguments, dict) else None


def _task(info: MoleculeInfo) -> str:
    return f'{one_line(", ".join(info.targets))} ({info.task_type})'


def _refused(path: Path, reason: str) -> ValueError:
    return ValueError(
        f"'model' must be {_WANTED}, of a network for molecules, got "
        f"'{path}': {reason}"
    )
