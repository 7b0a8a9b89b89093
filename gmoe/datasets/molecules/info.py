"""What a trained network needs to know again of a table of molecules."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from gmoe.common.arguments import check_choice
from gmoe.common.shown import shown

#: The version of how graphs are made of SMILES strings: OGB's codes, of the
#: molecule as RDKit reads its canonical SMILES string.
CANONICAL = 'ogb-canonical-1'

BINARY = 'binary classification'
MULTICLASS = 'multiclass classification'
REGRESSION = 'regression'
TASK_TYPES = (BINARY, MULTICLASS, REGRESSION)

#: The most target columns or classes, the longest name, and the longest
#: settings of features, as JSON.
MAX_NAMES = 10_000
MAX_LENGTH = 1_000
MAX_SETTINGS = 1_000_000


@dataclass(frozen=True)
class MoleculeInfo:
    """The columns and the kind of the targets of a table of molecules.

    It is kept beside a trained network, so that predictions need no
    configuration again.

    Args:
        targets: The names of the target columns.
        task_type: ``"binary classification"``, ``"multiclass
            classification"`` or ``"regression"``, of all targets.
        classes: The names of the classes, as in the file, in the order of
            the class numbers; :obj:`None` for regression.
        smiles: The name of the column of SMILES strings.
        features: The settings of the features of whole molecules;
            :obj:`None` without.
        featurization: The version of how graphs are made.

    Raises:
        ValueError: If one of them is not what it must be.
    """

    targets: tuple[str, ...]
    task_type: str
    classes: tuple[str, ...] | None
    smiles: str = 'smiles'
    # Long, with some 200 names of descriptors.
    features: dict[str, Any] | None = field(default=None, repr=False)
    featurization: str = CANONICAL

    def __post_init__(self) -> None:
        _check_names('targets', self.targets, 1)
        _check_names('smiles', (self.smiles,), 1)
        check_choice('task_type', self.task_type, TASK_TYPES)
        check_choice('featurization', self.featurization, [CANONICAL])
        if self.task_type == REGRESSION:
            check_choice('classes', self.classes, [None])
        else:
            _check_names('classes', self.classes, 2)
        if self.task_type == BINARY and len(self.classes or ()) != 2:
            raise ValueError(
                "'classes' must be two for binary classification, got "
                f'{len(self.classes or ())}'
            )
        if self.task_type == MULTICLASS and len(self.targets) != 1:
            raise ValueError(
                "'targets' must be one column for multiclass classification, "
                f'got {len(self.targets)}'
            )
        _check_settings(self.features)

    @property
    def num_tasks(self) -> int:
        """The number of target columns."""
        return len(self.targets)

    @property
    def num_classes(self) -> int:
        """The number of classes of each target, `-1` for regression."""
        return -1 if self.classes is None else len(self.classes)

    @property
    def num_outputs(self) -> int:
        """The number of outputs of a network: one for each class, where there
        may be several, and else one for each target."""
        is_multiclass = self.task_type == MULTICLASS
        return self.num_classes if is_multiclass else self.num_tasks

    def to_dict(self) -> dict[str, Any]:
        """Returns the same as plain values, which JSON can hold."""
        values = asdict(self)
        for name in ('targets', 'classes'):
            if values[name] is not None:
                values[name] = list(values[name])
        return values

    @classmethod
    def from_dict(cls, d: Any) -> MoleculeInfo:
        """Makes it of what :meth:`to_dict` has returned, as a file may hold
        it that somebody else has written.

        Args:
            d: The values.

        Raises:
            ValueError: If they are not what they must be.
        """
        if not isinstance(d, dict):
            raise ValueError(
                f"The molecules' settings must be a dictionary, got {shown(d)}"
            )
        names = [field.name for field in fields(cls)]
        for name in d:
            if name not in names:
                raise ValueError(
                    f"The molecules' settings must be of {names}, got "
                    f'{shown(name)}, as of a newer version of gmoe'
                )
        missing = {'targets', 'task_type', 'classes'} - d.keys()
        if missing:
            raise ValueError(
                "The molecules' settings must have "
                f"'{min(missing)}', got {shown(sorted(d))}"
            )
        values = dict(d)
        for name in ('targets', 'classes'):
            if isinstance(values[name], list):
                values[name] = tuple(values[name])
        return cls(**values)


def _check_names(name: str, value: Any, least: int) -> None:
    if (
        not isinstance(value, tuple)
        or not all(isinstance(text, str) for text in value)
        or not least <= len(value) <= MAX_NAMES
        or len(set(value)) != len(value)
        or any(len(text) > MAX_LENGTH for text in value)
    ):
        raise ValueError(
            f"'{name}' must be {least} to {MAX_NAMES} different names of at "
            f'most {MAX_LENGTH} characters, got {shown(value)}'
        )


def _check_settings(features: Any) -> None:
    if features is None:
        return
    try:
        is_plain = isinstance(features, dict) and (
            len(json.dumps(features, allow_nan=False)) <= MAX_SETTINGS
        )
    except (TypeError, ValueError, RecursionError):
        is_plain = False
    if not is_plain:
        raise ValueError(
            "'features' must be settings that JSON can hold, of at most "
            f'{MAX_SETTINGS} characters, got {shown(features)}'
        )
